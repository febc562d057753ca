// `zot du`: what repositories take, and what goes with tags, as a running server tells it.

import { formatBytes } from "../lib/bytes.ts";
import { isRepositoryName } from "../oci/reference.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import {
  failed,
  inColumns,
  parsePlace,
  ServerRefused,
  wantsJson,
  withServer,
  type AskedServer,
} from "./server_given.ts";

/** Tags that are asked about in one request, and repositories of one answer. */
const tagsMax = 64;
const pageMax = 1_000;
const barWidth = 10;

interface ToldRepository {
  readonly name: string;
  readonly isCounted: boolean;
  readonly linkedBytes: number;
  readonly ownBytes: number | null;
  readonly sharedBytes: number | null;
  readonly manifests: number;
  readonly tagCount: number;
}

type ToldTotal = Omit<ToldRepository, "name" | "linkedBytes"> & {
  readonly linkedBytes: number | null;
  readonly repositories: number;
  readonly waitingBytes?: number | null;
  readonly heldBytes?: number;
  readonly uploadBytes?: number;
  readonly physicalBytes?: number;
};

interface ToldQuota {
  readonly scope: string;
  readonly limits: Readonly<Record<string, number | null>>;
  readonly used: Readonly<Record<string, number>>;
}

interface ToldUsage {
  readonly prefix: string;
  readonly total: ToldTotal;
  readonly quotas: readonly ToldQuota[];
  readonly repositories: readonly ToldRepository[];
}

interface ToldTag {
  readonly tag: string;
  readonly digest: string;
  readonly linkedBytes: number;
  readonly freedHereBytes: number;
  readonly freedBytes: number | null;
}

/** Returns the exit status. */
export async function duCommand(given: Given, output: Output): Promise<number> {
  try {
    const json = wantsJson(given);
    const { server, prefix } = parsePlace(given.arguments["place"] ?? "");
    const [isSummary, ofTags] = [given.options["summary"] === true, given.options["tags"] === true];
    if (isSummary && ofTags) throw new Mistake("expected --summary or --tags, got both");
    if (ofTags && !isRepositoryName(prefix)) {
      throw new Mistake(`expected a repository beside --tags, got '${prefix}'`);
    }
    return await withServer(given, output, {
      server: server ?? text(given, "server"),
      run: async (asked) => {
        if (ofTags) {
          const tags = await tagsOf(asked, prefix);
          output.out(json ? printed({ name: prefix, tags }) : shownTags(tags));
          return 0;
        }
        const usage = await usageOf(asked, prefix, isSummary ? 0 : pageMax);
        if (usage.repositories.length === 0 && !isSummary && prefix !== "") {
          throw new Mistake(`expected a repository or a prefix, got '${prefix}': nothing is there`);
        }
        output.out(json ? printed(usage) : shownUsage(usage));
        return 0;
      },
    });
  } catch (error) {
    return failed(error, output);
  }
}

function printed(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** All pages, with the most first. */
async function usageOf(server: AskedServer, prefix: string, count: number): Promise<ToldUsage> {
  const path = `/v2/_zot/usage?prefix=${encodeURIComponent(prefix)}&n=${count}`;
  const pages = await pagesOf<ToldUsage>(server, path);
  const [first] = pages;
  if (first === undefined) throw new Error("a list without a page");
  const repositories = pages.flatMap((page) => page.repositories).sort(byWeight);
  return { prefix, total: first.total, quotas: first.quotas, repositories };
}

async function pagesOf<T>(server: AskedServer, first: string): Promise<T[]> {
  const pages: T[] = [];
  for await (const { status, body } of server.client.paginate(await server.send("GET", first))) {
    if (status !== 200) throw new ServerRefused(status, "a page of the list cannot be read", null);
    pages.push(JSON.parse(new TextDecoder().decode(body)) as T);
  }
  return pages;
}

function weightOf({ ownBytes, linkedBytes }: ToldRepository): number {
  return ownBytes ?? linkedBytes;
}

function byWeight(one: ToldRepository, other: ToldRepository): number {
  return weightOf(other) - weightOf(one) || (one.name < other.name ? -1 : 1);
}

async function tagsOf(server: AskedServer, repository: string): Promise<ToldTag[]> {
  const lists = await pagesOf<{ tags: readonly string[] }>(server, `/v2/${repository}/tags/list`);
  const names = lists.flatMap(({ tags }) => tags);
  const tags: ToldTag[] = [];
  for (let at = 0; at < names.length; at += tagsMax) {
    const query = names.slice(at, at + tagsMax).map((tag) => `tag=${encodeURIComponent(tag)}`);
    const answer = await server.ask("GET", `/v2/${repository}/_zot/usage?${query.join("&")}`);
    tags.push(...(answer as { tags: readonly ToldTag[] }).tags);
  }
  const freed = (tag: ToldTag): number => tag.freedBytes ?? tag.freedHereBytes;
  return tags.sort((one, other) => freed(other) - freed(one) || (one.tag < other.tag ? -1 : 1));
}

/** Null is what the server does not tell this caller, or has too much of to look at. */
function shown(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? "-" : formatBytes(bytes);
}

function shownUsage({ prefix, total, quotas, repositories }: ToldUsage): string {
  const most = Math.max(1, ...repositories.map(weightOf));
  const rows = repositories.map((each) => [
    ...figuresOf(each),
    bar(weightOf(each) / most),
    each.name,
  ]);
  const name = prefix === "" ? "all" : prefix;
  const all = `${name} (${total.repositories} repositories)`;
  const head = ["OWN", "SHARED", "LINKED", "TAGS", "MANIFESTS", "", "NAME"];
  const table = inColumns(head, [...rows, [...figuresOf(total), "", all]]);
  const isCounted = total.isCounted
    ? ""
    : "content from before this version is being counted; figures are what was counted so far\n";
  return `${table}${shownRest(total)}${quotas.map(shownQuota).join("")}${isCounted}`;
}

function figuresOf(told: ToldRepository | ToldTotal): string[] {
  const { ownBytes, sharedBytes, linkedBytes, tagCount, manifests } = told;
  return [
    shown(ownBytes),
    shown(sharedBytes),
    shown(linkedBytes),
    String(tagCount),
    String(manifests),
  ];
}

function bar(part: number): string {
  const filled = Math.round(part * barWidth);
  return "█".repeat(filled) + "░".repeat(barWidth - filled);
}

function shownRest({ physicalBytes, heldBytes, waitingBytes, uploadBytes }: ToldTotal): string {
  if (physicalBytes === undefined) return "";
  return (
    `on disk ${shown(physicalBytes)}: held for an undo ${shown(heldBytes)}, uploads ${shown(uploadBytes)}, ` +
    `waiting for collection ${shown(waitingBytes)}\n`
  );
}

function shownQuota({ scope, limits, used }: ToldQuota): string {
  const figures = Object.entries(limits).flatMap(([name, limit]) => {
    if (limit === null) return [];
    const of = used[name] ?? 0;
    const percent = limit === 0 ? "" : ` (${Math.round((of / limit) * 100)} %)`;
    return name === "bytes"
      ? `${formatBytes(of)} of ${formatBytes(limit)}${percent}`
      : `${of} of ${limit} ${name}${percent}`;
  });
  return `quota of ${scope === "" ? "all" : scope}: ${figures.join(", ")}\n`;
}

function shownTags(tags: readonly ToldTag[]): string {
  const rows = tags.map(({ tag, linkedBytes, freedBytes, freedHereBytes }) => [
    shown(freedBytes),
    shown(freedHereBytes),
    shown(linkedBytes),
    tag,
  ]);
  return inColumns(["FREED", "FREED HERE", "SIZE", "TAG"], rows);
}
