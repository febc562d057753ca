/**
 * What only this machine tells of the upstreams of a configuration: whether their files can be read, and whether one of
 * them is this server itself.
 */
import { parseRegistryUrl } from "../../client/registry_url.ts";
import type { RegistryConfig } from "../../config/schema.ts";
import { systemClock } from "../../lib/clock.ts";
import { apiUrlOf } from "./hosts.ts";
import { namedEntries, type NamedEntry } from "./names.ts";
import { UpstreamGates } from "./upstream/gate.ts";
import { Upstreams } from "./upstream/open_upstreams.ts";
import { isOwnPlace, type OwnPlace } from "./upstream/own_address.ts";
import type { Environment } from "./upstream/proxies.ts";

/** What is unwise. @throws with one line for what cannot be in force. */
export async function checkUpstreams(
  config: RegistryConfig,
  env: Environment,
): Promise<readonly string[]> {
  const { sync } = config.extensions;
  if (!sync.enable) return [];
  const entries = namedEntries(sync);
  const own = ownPlace(config);
  const upstreams = new Upstreams({
    sync,
    clock: systemClock,
    report: () => {},
    env,
    gates: new UpstreamGates(null, 0, systemClock),
    own,
    userAgent: "zot",
  });
  try {
    for (const entry of entries) upstreams.of(entry);
  } finally {
    upstreams.close();
  }
  const found = await Promise.all(entries.map((entry) => ownUrlsOf(entry, own)));
  return found.flat();
}

/** Null where the port is chosen at the start. */
export function ownPlace({ http: { address, port } }: RegistryConfig): OwnPlace | null {
  return port === 0 ? null : { address, port };
}

/** Servers that mirror each other often have one list of all of them. @throws where an entry has no other upstream. */
async function ownUrlsOf(
  { values: { urls }, place }: NamedEntry,
  own: OwnPlace | null,
): Promise<string[]> {
  const are = await Promise.all(
    urls.map((url) => isOwnPlace(parseRegistryUrl(apiUrlOf(url)).origin, own)),
  );
  const found = urls.filter((_, index) => are[index] === true);
  const [first] = found;
  if (first === undefined) return [];
  const at = `extensions.sync.${place}`;
  if (found.length === urls.length) {
    throw new Error(`${at}: expected another registry, got ${first}, which is this server itself`);
  }
  return found.map((url) => `${at}.urls: ${url} is this server itself, and is passed over`);
}
