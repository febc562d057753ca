/**
 * Offline collection of plain OCI image layouts, which no registry of ours has served: one layout, or every layout below
 * a directory.
 *
 * What an `index.json` lists is followed through the files; a file under `blobs` that nothing reaches goes. With
 * `deleteUntagged`, entries without a name go first, unless an entry that stays lists or is their subject. A layout that
 * cannot be read as far as that needs is left as it is: one with a damaged manifest, or without one that is listed.
 */
import { readdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../oci/digest.ts";
import { isManifestType } from "../oci/media_types.ts";
import { readForeignManifest, type ForeignManifest } from "../registry/foreign_manifest.ts";
import type { OfflineLine, OfflineOptions, OfflineTotals } from "../server.ts";
import { byteOrder, layoutsBelow } from "./plain_layouts.ts";

const refName = "org.opencontainers.image.ref.name";

interface Entry {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Reached {
  readonly digests: ReadonlySet<string>;
  readonly subject: string | null;
}

/** @throws what stops it altogether; one layout that cannot be read is a line, and others go on. */
export async function collectPlain(
  rootDirectory: string,
  options: OfflineOptions,
): Promise<OfflineTotals> {
  const totals = { manifests: 0, blobs: 0, uploads: 0, sizeBytes: 0, failed: 0 };
  for (const directory of await layoutsBelow(rootDirectory)) {
    const name = relative(rootDirectory, directory) || ".";
    try {
      await collectLayout(directory, name, options, totals);
    } catch (error) {
      totals.failed += 1;
      options.problem(`${name}: left as it is: ${String(error)}`);
    }
  }
  return totals;
}

type Totals = { -readonly [K in keyof OfflineTotals]: OfflineTotals[K] };

async function collectLayout(
  directory: string,
  name: string,
  options: OfflineOptions,
  totals: Totals,
): Promise<void> {
  const { line, olderThanMs, dryRun } = options;
  const indexPath = join(directory, "index.json");
  const text = await readFile(indexPath, "utf8");
  const index = JSON.parse(text) as { manifests?: Entry[] | null };
  const entries = index.manifests ?? [];
  const kept = options.deleteUntagged ? await keptEntries(directory, entries) : entries;
  const going = entries.filter((entry) => !kept.includes(entry));
  for (const entry of kept.filter((one) => tagOf(one) === null)) {
    const reason = options.deleteUntagged
      ? "an entry that stays needs it"
      : "listed, without a name";
    line(lineOf("keep", name, entry, reason));
  }
  for (const entry of going) line(lineOf("delete", name, entry, "no name, and nothing needs it"));
  totals.manifests += going.length;
  if (!dryRun && going.length > 0) {
    if ((await readFile(indexPath, "utf8")) !== text)
      throw new Error("index.json changed meanwhile");
    const temporary = `${indexPath}.zot-gc`;
    await writeFile(temporary, JSON.stringify({ ...index, manifests: kept }), { flush: true });
    await rename(temporary, indexPath);
  }
  const reached = new Set<string>();
  for (const { digest, mediaType } of kept) {
    for (const one of (await reach(directory, digest, mediaType)).digests) reached.add(one);
  }
  const isManifest = new Set(going.map(({ digest }) => digest));
  for await (const { digest, path, sizeBytes, ageMs } of filesOf(directory)) {
    if (reached.has(digest) || ageMs < olderThanMs) continue;
    if (!dryRun) await unlink(path);
    totals.sizeBytes += sizeBytes;
    if (isManifest.has(digest)) continue;
    totals.blobs += 1;
    line({
      what: "delete",
      repository: name,
      reference: digest,
      sizeBytes,
      reason: "nothing reaches it",
    });
  }
}

function lineOf(what: OfflineLine["what"], repository: string, entry: Entry, reason: string) {
  return { what, repository, reference: entry.digest, sizeBytes: entry.size ?? 0, reason };
}

function tagOf({ annotations }: Entry): string | null {
  return annotations?.[refName] ?? null;
}

/** Those with a name, what they reach, and what is about something that stays. */
async function keptEntries(directory: string, entries: readonly Entry[]): Promise<Entry[]> {
  const known = new Map<Entry, Reached>();
  for (const entry of entries)
    known.set(entry, await reach(directory, entry.digest, entry.mediaType));
  const kept = new Set(entries.filter((entry) => tagOf(entry) !== null));
  for (let before = -1; before !== kept.size;) {
    before = kept.size;
    const alive = new Set([...kept].flatMap((entry) => [...(known.get(entry)?.digests ?? [])]));
    for (const entry of entries) {
      const subject = known.get(entry)?.subject ?? null;
      if (alive.has(entry.digest) || (subject !== null && alive.has(subject))) kept.add(entry);
    }
  }
  return entries.filter((entry) => kept.has(entry));
}

/** Everything that a manifest leads to, itself included. @throws for a file that is there and cannot be read. */
async function reach(directory: string, root: string, mediaType = ""): Promise<Reached> {
  const digests = new Set<string>();
  let subject: string | null = null;
  const queue = [{ digest: root, mediaType }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (digests.has(next.digest)) continue;
    digests.add(next.digest);
    const digest = parseDigest(next.digest);
    const bytes = digest === null ? null : await readOrNull(pathOf(directory, digest));
    if (digest === null || bytes === null) {
      // A child may be absent. What is listed and gone may have named anything.
      if (next.digest === root) throw new Error(`${root} is listed, and not here`);
      continue;
    }
    const read = readWhole(digest, next.mediaType, bytes);
    if (read === null) continue;
    if (next.digest === root) ({ subject } = read.manifest);
    for (const reference of read.manifest.references) {
      if (reference.target === "blob") digests.add(reference.digest);
    }
    for (const needed of read.needed) {
      if (!read.children.some((child) => child.digest === needed)) digests.add(needed);
    }
    queue.push(...read.children);
  }
  return { digests, subject };
}

/** Null for what is no manifest. @throws for a damaged one. */
function readWhole(digest: Digest, mediaType: string, bytes: Uint8Array): ForeignManifest | null {
  const isRight = digestOf(algorithmOf(digest), bytes) === digest;
  const read = isRight ? readForeignManifest(digest, mediaType, bytes) : null;
  if (!isRight || (read === null && isManifestType(mediaType))) {
    throw new Error(`${digest} is damaged`);
  }
  return read;
}

function pathOf(directory: string, digest: Digest): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return join(directory, "blobs", algorithm, hex);
}

/** Null for an absent file alone. */
async function readOrNull(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

async function* filesOf(directory: string) {
  for (const algorithm of ["sha256", "sha512"]) {
    const folder = join(directory, "blobs", algorithm);
    const names = await readdir(folder).catch((error: { code?: unknown }) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names.toSorted(byteOrder)) {
      const digest = parseDigest(`${algorithm}:${name}`);
      if (digest === null) continue;
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path);
      yield { digest, path, sizeBytes: size, ageMs: systemClock.now() - mtimeMs };
    }
  }
}
