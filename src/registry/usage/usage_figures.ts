/**
 * What content takes, for people who ask: a repository, some of its tags, everything below a prefix, the registry.
 *
 * Totals of repositories and of the registry are kept; those of a prefix are made of its repositories, whose shared
 * content is looked at digest by digest. Whether others have content may be told to administrators alone: a figure of
 * own bytes would tell anybody what lies in repositories that they may not read.
 */
import { setImmediate } from "node:timers/promises";
import { retention } from "../../metadata/retention.ts";
import { hasPrefix, usage, type QuotaUsage, type RepositoryUsage } from "../../metadata/usage.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";
import { absentError, resolveManifest, resolveTags } from "../resolve.ts";
import { FreedBytes } from "../retention/freed_bytes.ts";

/** Rows that are read at once; then others have their turn. */
const pageMax = 1_000;
/** Digests that are looked at for one answer; beyond them a figure is not known. */
export const lookedAtMax = 200_000;
/** Tags that are asked about at once. */
export const askedTagsMax = 64;

export interface RepositoryFigures extends RepositoryUsage {
  /** Content that collection will remove, and content that only undo holds; null when there is too much of it. */
  readonly waitingBytes: number | null;
  readonly heldBytes: number;
  readonly quotas: readonly QuotaUsage[];
}

/** @throws NAME_UNKNOWN. */
export async function repositoryFigures(
  registry: Registry,
  repository: string,
): Promise<RepositoryFigures> {
  const resolved = await resolveTags(registry, repository, { after: null, limit: 1 });
  const reads = registry.metadata.records(usage);
  const found = resolved.found === null ? null : await reads.repository(repository);
  if (found === null) {
    const why = resolved.found === null ? resolved.why : "no-repository";
    throw absentError(why, "MANIFEST_UNKNOWN", { name: repository });
  }
  return {
    ...found,
    waitingBytes: await waitingIn(registry, repository),
    heldBytes: await reads.heldIn(repository, lookedAtMax),
    quotas: await reads.quotasOf(repository),
  };
}

async function waitingIn({ metadata }: Registry, repository: string): Promise<number | null> {
  const reads = metadata.records(usage);
  let bytes = 0;
  let after = "";
  for (let looked = 0; looked < lookedAtMax; looked += pageMax) {
    const page = await reads.waitingIn(repository, after, pageMax);
    for (const { sizeBytes } of page) bytes += sizeBytes;
    const last = page.at(-1);
    if (page.length < pageMax || last === undefined) return bytes;
    after = last.digest;
    await setImmediate();
  }
  return null;
}

export interface TagFigures {
  readonly tag: string;
  readonly digest: Digest;
  /** Of all that it names, each digest once. */
  readonly linkedBytes: number;
  /** What goes from the repository, and from the registry, when the tag goes and what it alone keeps is collected. */
  readonly freedHereBytes: number;
  readonly freedBytes: number;
}

export interface TagsFigures {
  readonly tags: readonly TagFigures[];
  /** When all of them go. */
  readonly together: Pick<TagFigures, "freedHereBytes" | "freedBytes">;
}

/** @throws NAME_UNKNOWN, MANIFEST_UNKNOWN. */
export async function tagsFigures(
  registry: Registry,
  repository: string,
  tags: readonly string[],
): Promise<TagsFigures> {
  const all = new FreedBytes(registry);
  let freedBytes = 0;
  const figures: TagFigures[] = [];
  for (const tag of tags) {
    const resolved = await resolveManifest(registry, repository, { kind: "tag", tag });
    if (resolved.found === null) {
      throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: repository, reference: tag });
    }
    const { digest, sizeBytes } = resolved.found;
    const alone = new FreedBytes(registry);
    const freed = await alone.ofTag(repository, { tag, digest });
    freedBytes += await all.ofTag(repository, { tag, digest });
    const linkedBytes = await imageBytes(registry, repository, { digest, sizeBytes });
    figures.push({ tag, digest, linkedBytes, freedHereBytes: alone.hereBytes, freedBytes: freed });
    await setImmediate();
  }
  return { tags: figures, together: { freedHereBytes: all.hereBytes, freedBytes } };
}

/** A manifest with all that it names and that is here. */
async function imageBytes(
  registry: Registry,
  repository: string,
  image: { readonly digest: Digest; readonly sizeBytes: number },
): Promise<number> {
  const seen = new Set<string>([image.digest]);
  const queue = [image.digest];
  let bytes = image.sizeBytes;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const children = await registry.metadata.records(retention).children(repository, next);
    for (const child of children) {
      if (seen.has(child.digest)) continue;
      seen.add(child.digest);
      bytes += child.sizeBytes ?? 0;
      const digest = parseDigest(child.digest);
      if (child.target !== "manifest" || digest === null) continue;
      const { found } = await resolveManifest(registry, repository, { kind: "digest", digest });
      if (found === null) continue;
      bytes += found.sizeBytes - (child.sizeBytes ?? 0);
      queue.push(digest);
    }
  }
  return bytes;
}

/** Who asks about several repositories. */
export interface UsageReader {
  readonly mayRead: (repository: string) => boolean;
}

export interface UsagePage {
  readonly items: readonly RepositoryUsage[];
  /** The last name of a page that has another one behind it. */
  readonly next: string | null;
}

/** Repositories below a prefix that hold something, by name. */
export async function repositoriesUsage(
  registry: Registry,
  prefix: string,
  page: { readonly after: string | null; readonly count: number },
  { mayRead }: UsageReader,
): Promise<UsagePage> {
  const items: RepositoryUsage[] = [];
  for await (const each of below(registry, prefix, page.after)) {
    if (!mayRead(each.repository)) continue;
    if (items.length === page.count) return { items, next: items.at(-1)?.repository ?? null };
    items.push(each);
  }
  return { items, next: null };
}

async function* below(
  { metadata }: Registry,
  prefix: string,
  from: string | null,
): AsyncGenerator<RepositoryUsage> {
  const reads = metadata.records(usage);
  let after = from;
  if (prefix !== "" && !prefix.endsWith("/") && (after === null || after < prefix)) {
    const own = await reads.repository(prefix);
    if (own !== null && own.digests > 0) yield own;
  }
  const start = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  for (;;) {
    const page = await reads.page(start, { after, limit: pageMax });
    for (const each of page) {
      if (each.digests > 0 && hasPrefix(each.repository, prefix)) yield each;
    }
    const last = page.at(-1);
    if (page.length < pageMax || last === undefined) return;
    after = last.repository;
    await setImmediate();
  }
}

export interface TotalFigures {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  /** Each digest once; null where there are too many to look at. */
  readonly linkedBytes: number | null;
  /** Of those that no repository outside has. */
  readonly ownBytes: number | null;
  readonly isCounted: boolean;
}

/** Of all repositories below a prefix that the reader may read. */
export async function prefixFigures(
  registry: Registry,
  prefix: string,
  { mayRead }: UsageReader,
): Promise<TotalFigures> {
  const sum = { repositories: 0, manifests: 0, tags: 0, linkedBytes: 0, ownBytes: 0 };
  let isCounted = true;
  const sharing: string[] = [];
  let toLookAt = 0;
  for await (const each of below(registry, prefix, null)) {
    if (!mayRead(each.repository)) continue;
    sum.repositories += each.manifests > 0 ? 1 : 0;
    sum.manifests += each.manifests;
    sum.tags += each.tags;
    sum.linkedBytes += each.linkedBytes;
    sum.ownBytes += each.ownBytes;
    isCounted &&= each.isCounted;
    if (each.ownBytes === each.linkedBytes && each.isCounted) continue;
    sharing.push(each.repository);
    toLookAt += each.digests;
  }
  if (toLookAt > lookedAtMax) return { ...sum, linkedBytes: null, ownBytes: null, isCounted };
  const shared = await sharedBytes(registry, sharing);
  return {
    ...sum,
    linkedBytes: sum.linkedBytes - shared.repeatedBytes,
    ownBytes: sum.ownBytes + shared.insideBytes,
    isCounted,
  };
}

/** Content that several of these repositories have: what counts more than once, and what nobody else has. */
async function sharedBytes({ metadata }: Registry, repositories: readonly string[]) {
  const reads = metadata.records(usage);
  const seen = new Map<string, { holders: number; readonly sizeBytes: number }>();
  for (const repository of repositories) {
    for (let after: string | null = ""; after !== null;) {
      const page: { digest: string; sizeBytes: number }[] = await reads.content(
        repository,
        after,
        pageMax,
      );
      for (const { digest, sizeBytes } of page) {
        const known = seen.get(digest);
        if (known === undefined) seen.set(digest, { holders: 1, sizeBytes });
        else known.holders += 1;
      }
      after = page.length < pageMax ? null : (page.at(-1)?.digest ?? null);
      await setImmediate();
    }
  }
  let [repeatedBytes, insideBytes] = [0, 0];
  const several = [...seen].filter(([, { holders }]) => holders > 1);
  for (let at = 0; at < several.length; at += pageMax) {
    const some = several.slice(at, at + pageMax);
    const most = Math.max(...some.map(([, { holders }]) => holders));
    const held = await reads.holders(
      some.map(([digest]) => digest),
      most + 1,
    );
    for (const [digest, { holders, sizeBytes }] of some) {
      repeatedBytes += (holders - 1) * sizeBytes;
      if (held.get(digest) === holders) insideBytes += sizeBytes;
    }
    await setImmediate();
  }
  return { repeatedBytes, insideBytes };
}

export interface RegistryFigures extends TotalFigures {
  /** Content that collection will remove; null when there is too much of it. */
  readonly waitingBytes: number | null;
  /** Content that only undo holds, each digest once. */
  readonly heldBytes: number;
  /** Of uploads that are open. */
  readonly uploadBytes: number;
  /** All that lies on the disk: live, held, waiting for the sweep, and on its way in. */
  readonly physicalBytes: number;
}

/** Orphans whose size is asked for: the sweep leaves few. */
const orphansMax = 1_000;

export async function registryFigures(registry: Registry): Promise<RegistryFigures> {
  const { metadata, uploads } = registry;
  const reads = metadata.records(usage);
  const { uniqueBytes, keptBytes, isCounted } = await reads.registry();
  const uploadBytes = await uploads.bytes();
  return {
    ...(await reads.sums()),
    linkedBytes: uniqueBytes,
    ownBytes: uniqueBytes,
    isCounted,
    waitingBytes: await waitingBytes(registry),
    heldBytes: keptBytes - uniqueBytes,
    uploadBytes,
    physicalBytes: keptBytes + uploadBytes + (await orphanBytes(registry)),
  };
}

/** Content in one repository may wait while others have it: it counts where it is the last. */
async function waitingBytes({ metadata }: Registry): Promise<number | null> {
  const reads = metadata.records(usage);
  let bytes = 0;
  let after = { repository: 0, digest: "" };
  for (let looked = 0; looked < lookedAtMax; looked += pageMax) {
    const page = await reads.waiting(after, pageMax);
    const held = await reads.holders([...new Set(page.map(({ digest }) => digest))], 2);
    for (const { digest, sizeBytes } of page) if (held.get(digest) === 1) bytes += sizeBytes;
    const last = page.at(-1);
    if (page.length < pageMax || last === undefined) return bytes;
    after = { repository: last.id, digest: last.digest };
    await setImmediate();
  }
  return null;
}

/** Bytes that wait for the sweep, and that nothing else names. */
async function orphanBytes({ metadata, blobs }: Registry): Promise<number> {
  const orphans = await metadata.orphans(orphansMax);
  const digests = [...new Set(orphans.map(({ digest }) => digest))];
  const held = await metadata.records(usage).holders(digests, 1);
  let bytes = 0;
  for (const { repository, digest } of new Map(
    orphans.map((each) => [each.digest, each]),
  ).values()) {
    if ((held.get(digest) ?? 0) > 0) continue;
    bytes += (await blobs.size(repository, digest)) ?? 0;
  }
  return bytes;
}
