/** What takes room: of the registry, of the names below a prefix, and of a repository with its tags. */
import { request, requestJson } from "./http.ts";

/** Of a repository; what others have is told to administrators alone, and is null for everybody else. */
export interface RepositoryUsage {
  readonly name: string;
  readonly linkedBytes: number;
  readonly ownBytes: number | null;
  readonly tagCount: number;
}

export interface Quota {
  readonly scope: string;
  readonly count: "linked" | "own";
  readonly warnAt: number;
  readonly limits: Readonly<Record<QuotaFigure, number | null>>;
  readonly used: Readonly<Record<QuotaFigure, number>>;
}
export type QuotaFigure = "bytes" | "tags" | "manifests" | "repositories";

export interface TotalUsage {
  readonly linkedBytes: number | null;
  readonly ownBytes: number | null;
  readonly repositories: number;
  readonly tagCount: number;
  readonly isCounted: boolean;
  readonly waitingBytes?: number | null;
  readonly heldBytes?: number;
  readonly uploadBytes?: number;
  readonly physicalBytes?: number;
}

export interface PrefixUsage {
  readonly total: TotalUsage;
  readonly quotas: readonly Quota[];
  readonly repositories: readonly RepositoryUsage[];
  /** There are more repositories than were asked for. */
  readonly isCutOff: boolean;
}

export interface TagUsage {
  readonly tag: string;
  readonly digest: string;
  readonly linkedBytes: number;
  readonly freedHereBytes: number;
  readonly freedBytes: number | null;
}

export interface OneUsage extends RepositoryUsage {
  readonly heldBytes: number;
  readonly waitingBytes: number | null;
  readonly manifests: number;
  readonly quotas: readonly Quota[];
  readonly tags?: readonly TagUsage[];
}

/** Repositories of one request, and requests for one map. */
const pageMax = 1_000;
const pagesMax = 10;
/** Tags of which one request tells the figures. */
export const tagsMax = 50;

/** Everything below a prefix, which is empty or ends with a slash. */
export async function usageBelow(prefix: string, signal: AbortSignal): Promise<PrefixUsage> {
  const repositories: RepositoryUsage[] = [];
  let first: Omit<PrefixUsage, "isCutOff"> | null = null;
  let last: string | null = null;
  for (let page = 0; page < pagesMax; page += 1) {
    const asked = new URLSearchParams({ n: String(pageMax) });
    if (prefix !== "") asked.set("prefix", prefix);
    if (last !== null) asked.set("last", last);
    const answer = await request(`v2/_zot/usage?${asked}`, { signal });
    const body = (await answer.json()) as Omit<PrefixUsage, "isCutOff">;
    first ??= body;
    repositories.push(...body.repositories);
    last = body.repositories.at(-1)?.name ?? null;
    if (!answer.headers.has("link") || last === null)
      return { ...first, repositories, isCutOff: false };
  }
  if (first === null) throw new Error("no page was asked for");
  return { ...first, repositories, isCutOff: true };
}

export interface TagPage {
  readonly usage: OneUsage;
  readonly isCutOff: boolean;
}

/** A repository, and so many of its tags. */
export async function usageOf(name: string, count: number, signal: AbortSignal): Promise<TagPage> {
  const { tags } = await requestJson<{ tags: readonly string[] | null }>(
    `v2/${name}/tags/list?n=${count + 1}`,
    { signal },
  );
  const asked = (tags ?? []).slice(0, count);
  const pages: OneUsage[] = [];
  for (let start = 0; start === 0 || start < asked.length; start += tagsMax) {
    const some = asked.slice(start, start + tagsMax).map((tag) => `tag=${encodeURIComponent(tag)}`);
    pages.push(await requestJson<OneUsage>(`v2/${name}/_zot/usage?${some.join("&")}`, { signal }));
  }
  const [usage] = pages;
  if (usage === undefined) throw new Error("no page was asked for");
  const found = pages.flatMap((each) => each.tags ?? []);
  return { usage: { ...usage, tags: found }, isCutOff: (tags ?? []).length > count };
}

/** What stands below a prefix, one component further: a repository, or all that begins so. */
export interface Share {
  /** The component. */
  readonly label: string;
  /** The address of the map for it: a name, or a prefix with a slash behind it. */
  readonly at: string;
  readonly repositories: number;
  readonly bytes: number;
  /** Of content that nothing else has; null for who is not told. */
  readonly ownBytes: number | null;
}

/** The parts of a prefix, largest first. */
export function sharesOf(prefix: string, repositories: readonly RepositoryUsage[]): Share[] {
  const shares = new Map<string, Share>();
  for (const { name, linkedBytes, ownBytes } of repositories) {
    const rest = name.slice(prefix.length);
    const slash = rest.indexOf("/");
    const label = slash === -1 ? rest : rest.slice(0, slash + 1);
    const before = shares.get(label);
    shares.set(label, {
      label,
      at: prefix + label,
      repositories: (before?.repositories ?? 0) + 1,
      bytes: (before?.bytes ?? 0) + linkedBytes,
      ownBytes: ownBytes === null ? null : (before?.ownBytes ?? 0) + ownBytes,
    });
  }
  return [...shares.values()].toSorted((a, b) => b.bytes - a.bytes || (a.label < b.label ? -1 : 1));
}
