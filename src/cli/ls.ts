// `zot ls`: the repositories of a registry, or the tags of one repository, of any registry and of layouts.

import { compareVersions } from "../lib/compare_versions.ts";
import { ClientError } from "../client/client_error.ts";
import type { RegistryClient } from "../client/registry_client.ts";
import type { ImageContent } from "../inspect/image_content.ts";
import { tagSummary, type TagSummary } from "../inspect/tag_summary.ts";
import { formatBytes } from "../lib/bytes.ts";
import { Gate } from "../lib/gate.ts";
import { subjectOfTag } from "../oci/referrers.ts";
import { isRepositoryName } from "../oci/reference.ts";
import { labelOf, type PlaceName } from "../transfer/place_name.ts";
import { TransferError } from "../transfer/image_place.ts";
import type { Retries } from "../transfer/retries.ts";
import { paint, shortDigest } from "./colours.ts";
import type { Given, Output } from "./command.ts";
import { asksForJson, clientsOf, contentOf, parseLookedAt, withPlace } from "./looked_at.ts";
import { Mistake, text } from "./registry_flags.ts";
import { inColumns, printable, serverGiven } from "./server_given.ts";
import { clientFor, runLook } from "./transfer_failure.ts";

/** Tags that are looked at, unless the command line says another number. */
const tagsDefault = 50;
const requestsMax = 8;
/** Repositories that are listed. */
const repositoriesMax = 100_000;
const pageEntries = 1_000;

interface Listing {
  readonly given: Given;
  readonly output: Output;
  readonly retries: Retries;
}

/** Returns the exit status. */
export function lsCommand(given: Given, output: Output): Promise<number> {
  return runLook("ls", output, async (retries) => {
    const named = given.arguments["place"] ?? "";
    const registry = registryIn(named);
    const listing = { given, output, retries };
    if (registry !== null) await listRepositories(registry, listing);
    else await listTags(parseLookedAt(named), listing);
    return 0;
  });
}

interface NamedRegistry {
  readonly server: string;
  /** The beginning of names; empty for all. */
  readonly prefix: string;
}

/** A registry, or a part of one: `host:5000`, `host/team/`, nothing; null for what is a repository or a layout. */
function registryIn(named: string): NamedRegistry | null {
  if (named === "") return { server: serverGiven(null), prefix: "" };
  if (named.startsWith("oci:") || named.startsWith("oci-archive:")) return null;
  const [, scheme = "", rest = ""] = /^(docker:\/\/|https?:\/\/)?(.*)$/s.exec(named) ?? [];
  const slash = rest.indexOf("/");
  const first = slash === -1 ? rest : rest.slice(0, slash);
  const isHost = scheme !== "" || /[.:]/.test(first) || first === "localhost";
  const prefix = isHost ? (slash === -1 ? "" : rest.slice(slash + 1)) : rest;
  if (prefix !== "" && !prefix.endsWith("/")) return null;
  // Two forms that look alike: `app:1` is a tag, `host:5000` is a registry.
  if (scheme === "" && slash === -1 && looksLikeTag(rest)) return null;
  if (!isHost && slash === -1) return null;
  if (prefix !== "" && !isRepositoryName(prefix.slice(0, -1))) {
    throw new Mistake(`expected a prefix of names, such as team/; got '${named}'`);
  }
  const server = isHost ? `${scheme === "docker://" ? "" : scheme}${first}` : serverGiven(null);
  return { server, prefix };
}

function looksLikeTag(text: string): boolean {
  const [, name = "", tag = ""] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  const isPort = /^(?:80|443|\d{4,5})$/.test(tag);
  return tag !== "" && !isPort && !name.includes(".") && name !== "localhost";
}

async function listRepositories(
  { server, prefix }: NamedRegistry,
  { given, output }: Listing,
): Promise<void> {
  const client = await clientFor(given, server);
  try {
    const names = (await repositoriesOf(client)).filter((name) => name.startsWith(prefix));
    if (asksForJson(given))
      output.out(`${JSON.stringify({ server, repositories: names }, null, 2)}\n`);
    else output.out(names.map((name) => `${printable(name)}\n`).join(""));
  } finally {
    client.close();
  }
}

/** In the order of the registry. @throws TransferError where it lists none. */
async function repositoriesOf(client: RegistryClient): Promise<string[]> {
  const found: string[] = [];
  const first = await client.catalog([["n", String(pageEntries)]]);
  for await (const { status, body } of client.paginate(first)) {
    if (status !== 200) throw new TransferError(noCatalog(client.url, status));
    found.push(...namesIn(body, client.url));
    if (found.length > repositoriesMax) {
      throw new TransferError(`${client.url}: it has more than ${repositoriesMax} repositories`);
    }
  }
  return found;
}

function noCatalog(url: string, status: number): string {
  if (status === 401 || status === 403) {
    return `${url}: listing repositories needs a login (${status}); name one repository to list its tags`;
  }
  return `${url}: it does not list its repositories (${status}); name one, as in 'zot ls HOST/NAME'`;
}

function namesIn(body: Uint8Array, url: string): string[] {
  try {
    const { repositories } = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
    if (repositories === null) return [];
    if (Array.isArray(repositories)) {
      return repositories.filter((name): name is string => typeof name === "string");
    }
  } catch {
    // Said below.
  }
  throw new ClientError("notRegistry", url, { detail: "its catalog is no list" });
}

async function listTags(place: PlaceName, { given, output, retries }: Listing): Promise<void> {
  if (place.reference !== null) {
    throw new Mistake(
      `expected a repository, got '${place.reference}' behind it; 'zot inspect' shows an image`,
    );
  }
  const count = countOf(given);
  const client = await (await clientsOf(given, [place]))(place);
  await withPlace(place, { retries, client }, async (source) => {
    const all = await source.tags();
    if (all.length === 0)
      throw new TransferError(`${labelOf(place)}: it has no tags, or is absent`);
    const tags = all.filter((tag) => subjectOfTag(tag) === null).sort(newestFirst);
    if (given.options["quiet"] === true) {
      output.out(tags.map((tag) => `${printable(tag)}\n`).join(""));
      return;
    }
    const told = await summaries(contentOf(source, retries), tags.slice(0, count));
    if (asksForJson(given)) {
      const document = { repository: labelOf(place), tagCount: tags.length, tags: told };
      output.out(`${JSON.stringify(document, null, 2)}\n`);
      return;
    }
    output.out(table(told, output));
    const rest = tags.length - told.length;
    if (rest > 0) {
      output.out(`${rest} more tags; -n ${tags.length} shows all of them, --quiet names alone\n`);
    }
  });
}

/** The highest version comes first. */
function newestFirst(one: string, other: string): number {
  return compareVersions(other, one);
}

async function summaries(content: ImageContent, tags: readonly string[]): Promise<TagSummary[]> {
  const gate = new Gate({ runningMax: requestsMax, waitingMax: tags.length });
  return Promise.all(tags.map((tag) => gate.run(() => tagSummary(content, tag))));
}

function table(told: readonly TagSummary[], output: Output): string {
  const rows = told.map(({ tag, digest, label, platforms, sizeBytes }) => [
    tag,
    digest === null ? "-" : shortDigest(digest),
    label,
    shownPlatforms(platforms),
    sizeBytes === null ? "-" : formatBytes(sizeBytes),
  ]);
  const [head = "", ...lines] = inColumns(
    ["TAG", "DIGEST", "KIND", "PLATFORMS", "SIZE"],
    rows,
  ).split("\n");
  return [paint(output.colour)("bold", head), ...lines].join("\n");
}

const platformsShownMax = 3;

function shownPlatforms(platforms: readonly string[]): string {
  if (platforms.length === 0) return "-";
  const rest = platforms.length - platformsShownMax;
  const shown = platforms.slice(0, platformsShownMax).join(", ");
  return rest > 0 ? `${shown} +${rest}` : shown;
}

function countOf(given: Given): number {
  const asked = text(given, "number");
  if (asked === null) return tagsDefault;
  if (/^\d{1,6}$/.test(asked) && Number(asked) > 0) return Number(asked);
  throw new Mistake(`expected --number as a number of tags from 1 on, got '${asked}'`);
}
