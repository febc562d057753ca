/**
 * Proves an export before anything of it is used: every byte has its digest, every manifest is whole, with what the
 * archive holds or with what the other side is said to have, and nothing is there that it does not name.
 */
import { algorithmOf, newHasher, parseDigest, type Digest } from "../oci/digest.ts";
import type { ArchiveFiles } from "./archive_files.ts";
import {
  documentBytesMax,
  exportDigest,
  exportFile,
  parseExport,
  type ExportContents,
  type ExportedRepository,
} from "./export_format.ts";
import { TransferError, type NamedBlob, type PlacedManifest } from "./image_place.ts";
import { blobName, readWhole } from "./layout_files.ts";
import { partsOf, type ManifestParts } from "./manifest_parts.ts";
import { manifestBytesMax } from "./registry_session.ts";

export interface ProvenExport {
  readonly digest: Digest;
  readonly contents: ExportContents;
  /** By repository: what its manifests name that the archive does not bring to it. */
  readonly needs: ReadonlyMap<string, Needs>;
}

export interface Needs {
  readonly manifests: ReadonlySet<Digest>;
  readonly blobs: ReadonlyMap<Digest, NamedBlob>;
}

/** Reads and proves an archive. `expected` is its digest, where whoever carries it knows that. @throws TransferError. */
export async function proveExport(
  files: ArchiveFiles,
  { expected, signal }: { expected: Digest | null; signal: AbortSignal },
): Promise<ProvenExport> {
  const document = await readWhole(files, exportFile, documentBytesMax);
  if (document === null) {
    throw new TransferError(
      `${files.label}: there is no ${exportFile}: this is no export, or only the beginning of one`,
    );
  }
  const digest = exportDigest(document);
  if (expected !== null && digest !== expected) {
    throw new TransferError(`${files.label}: expected the export ${expected}, got ${digest}`);
  }
  const contents = parseExport(document, files.label);
  checkOrder(files, contents);
  for (const file of contents.files) {
    signal.throwIfAborted();
    await checkBytes(files, file);
  }
  const needs = new Map<string, Needs>();
  for (const repository of contents.repositories) {
    needs.set(repository.name, await checkRepository(files, contents, repository));
  }
  checkNamed(files.label, contents);
  return { digest, contents, needs };
}

/** What nobody gets has no place in an archive. */
function checkNamed(label: string, { repositories, files }: ExportContents): void {
  const named = new Set(
    repositories.flatMap(({ manifests, blobs }) =>
      [...manifests, ...blobs].map(({ digest }) => digest),
    ),
  );
  const extra = files.find(({ digest }) => !named.has(digest));
  if (extra === undefined) return;
  throw new TransferError(`${label}: ${blobName(extra.digest)} is named by no repository`);
}

/** The archive is as it was written: what was added, left out or moved is found before it is looked into. */
function checkOrder({ entries, label }: ArchiveFiles, { files }: ExportContents): void {
  const written = [
    "oci-layout",
    ...files.map(({ digest }) => blobName(digest)),
    "checkpoint.json",
    "index.json",
    exportFile,
  ];
  for (const [at, name] of written.entries()) {
    const found = entries[at]?.name ?? "its end";
    if (found === name) continue;
    const isThere = entries.some((entry) => entry.name === name);
    const what = isThere ? "its files are not in their order" : `${name} is missing`;
    throw new TransferError(`${label}: ${what}: where ${name} should be there is ${found}`);
  }
  const extra = entries[written.length];
  if (extra !== undefined) {
    throw new TransferError(`${label}: it holds ${extra.name} behind its end`);
  }
}

async function checkBytes(files: ArchiveFiles, { digest, sizeBytes }: NamedBlob): Promise<void> {
  const name = blobName(digest);
  const there = await files.size(name);
  if (there !== sizeBytes) {
    throw new TransferError(
      `${files.label}: ${name} has ${there ?? 0} bytes; expected ${sizeBytes}`,
    );
  }
  const hasher = newHasher(algorithmOf(digest));
  for await (const piece of files.read(name, 0)) hasher.update(piece);
  if (hasher.digest() === digest) return;
  throw new TransferError(
    `${files.label}: ${name} does not have its digest: the archive is damaged, or forged`,
  );
}

async function checkRepository(
  files: ArchiveFiles,
  contents: ExportContents,
  repository: ExportedRepository,
): Promise<Needs> {
  const { name, blobs, manifests, tags } = repository;
  const inArchive = new Map(contents.files.map((file) => [file.digest, file.sizeBytes]));
  const brought = new Map(blobs.map((blob) => [blob.digest, blob]));
  for (const { digest, sizeBytes, from } of blobs) {
    const held = inArchive.get(digest) ?? null;
    if (from === null ? held !== sizeBytes : held !== null) {
      throw new TransferError(
        `${files.label}: the blob ${digest} of ${name} is not in the archive as it says`,
      );
    }
  }
  const needs = { manifests: new Set<Digest>(), blobs: new Map<Digest, NamedBlob>() };
  const placed = new Set<Digest>();
  for (const { digest, sizeBytes, mediaType } of manifests) {
    if (inArchive.get(digest) !== sizeBytes) {
      throw new TransferError(
        `${files.label}: the manifest ${digest} of ${name} is not in the archive`,
      );
    }
    const parts = partsOf(await manifestIn(files, digest, mediaType), files.label);
    takeNeeds(parts, { brought, placed, needs });
    placed.add(digest);
  }
  const later = [...needs.manifests].find((digest) => placed.has(digest));
  if (later !== undefined) {
    throw new TransferError(
      `${files.label}: the manifest ${later} of ${name} stands behind the index that names it`,
    );
  }
  for (const { digest } of tags) if (!placed.has(digest)) needs.manifests.add(digest);
  return needs;
}

function takeNeeds(
  parts: ManifestParts,
  known: {
    brought: ReadonlyMap<Digest, NamedBlob>;
    placed: ReadonlySet<Digest>;
    needs: { manifests: Set<Digest>; blobs: Map<Digest, NamedBlob> };
  },
): void {
  for (const { digest } of parts.children) {
    if (!known.placed.has(digest)) known.needs.manifests.add(digest);
  }
  for (const blob of parts.blobs) {
    if (!known.brought.has(blob.digest)) known.needs.blobs.set(blob.digest, blob);
  }
}

export async function manifestIn(
  files: ArchiveFiles,
  digest: Digest,
  mediaType: string,
): Promise<PlacedManifest> {
  const bytes = await readWhole(files, blobName(digest), manifestBytesMax);
  if (bytes === null) throw new TransferError(`${files.label}: ${digest} is not in the archive`);
  return { digest, mediaType, bytes };
}

/** The digest that somebody wrote down; null when it is none. */
export function readExportDigest(text: string): Digest | null {
  return parseDigest(text.includes(":") ? text : `sha256:${text}`);
}
