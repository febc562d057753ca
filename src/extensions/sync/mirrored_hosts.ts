/** The upstreams that are mirrored when somebody pulls, as the clients in front of this registry need to know them. */
import { parseRegistryUrl, formatOrigin } from "../../client/registry_url.ts";
import type { MirroredHost, NameMapping } from "../../lib/mirror_clients.ts";
import { literalOf, trimmed } from "./content_rules.ts";
import { apiUrlOf, isHub } from "./hosts.ts";
import type { NamedEntry } from "./names.ts";
import type { ContentValues } from "./options.ts";

/** In the order of the configuration; an upstream of several entries has the names of all of them. */
export function mirroredHosts(entries: readonly NamedEntry[]): readonly MirroredHost[] {
  const found = new Map<string, MirroredHost>();
  for (const { values, hosts, folder } of entries) {
    if (!values.onDemand) continue;
    for (const [index, host] of hosts.entries()) {
      const known = found.get(host);
      const server = formatOrigin(parseRegistryUrl(apiUrlOf(values.urls[index] ?? host)).origin);
      const mappings = withFirst([...(known?.mappings ?? []), ...mappingsOf(values.content)]);
      const isEverywhere = mappings.some(({ upstream, local }) => upstream === "" && local === "");
      const atRoot = known?.atRoot === true || (isHub(host) && (folder !== null || isEverywhere));
      found.set(host, { host, server: known?.server ?? server, atRoot, mappings });
    }
  }
  return [...found.values()];
}

/** What a rule of one glob does not fit has another name here, or none: its clients go on to the upstream. */
function mappingsOf(content: readonly ContentValues[]): readonly NameMapping[] {
  if (content.length === 0) return [{ upstream: "", local: "" }];
  return content.map(({ prefix, destination, stripPrefix }) => {
    const upstream = literalOf(prefix);
    const parts = [trimmed(destination), stripPrefix ? "" : upstream];
    return { upstream, local: parts.filter((part) => part !== "").join("/") };
  });
}

/** The first rule that a name fits counts. */
function withFirst(mappings: readonly NameMapping[]): readonly NameMapping[] {
  const first = new Map<string, NameMapping>();
  for (const mapping of mappings) {
    if (!first.has(mapping.upstream)) first.set(mapping.upstream, mapping);
  }
  return [...first.values()];
}
