/**
 * Content that a repository holds, as the disk has it.
 *
 * Wrong bytes are never served as a good answer. A file that is gone, has another length than the metadata says or,
 * where it is read as a whole, other bytes, is an error to a pull. To a push it is absent, so that a push repairs it.
 */
import { algorithmOf, digestOf, type Digest } from "../oci/digest.ts";
import type { Holding } from "../metadata/metadata.ts";
import {
  ContentGone,
  type ContentRange,
  type OpenContent,
  type OpenHow,
} from "../storage/blob_store.ts";
import { cachedBytesMax } from "./content_cache.ts";
import type { Registry } from "./registry.ts";

/** The disk has not what was recorded. */
export class DamagedContent extends Error {
  override readonly name = "DamagedContent";

  /** `found` is what the file is instead, such as "12 bytes". */
  constructor({ repository, digest, sizeBytes }: Holding, found: string) {
    super(`storage: ${digest} of ${repository} should be ${sizeBytes} bytes on disk, is ${found}`);
    this.digest = digest;
  }

  readonly digest: Digest;
}

/** What a check has found damaged is not read, though right bytes of it may be in memory. @throws DamagedContent. */
function requireUnmarked(content: Holding): void {
  const { damagedSince } = content;
  if (damagedSince === undefined) return;
  const since = new Date(damagedSince).toISOString();
  throw new DamagedContent(content, `something else, as a check found at ${since}`);
}

/** One look at what is stored: for content that is sent from there. @throws DamagedContent. */
export async function requireStored({ blobs }: Registry, content: Holding): Promise<void> {
  requireUnmarked(content);
  const found = await blobs.size(content.repository, content.digest);
  if (found === null) throw new DamagedContent(content, "gone");
  if (found !== content.sizeBytes) throw new DamagedContent(content, `${found} bytes`);
}

/** The bytes of small content or of a manifest. @throws DamagedContent. */
export async function readContent(registry: Registry, content: Holding): Promise<Uint8Array> {
  requireUnmarked(content);
  return registry.contentCache.get(content.digest) ?? readNew(registry, content);
}

async function readNew(registry: Registry, content: Holding): Promise<Uint8Array> {
  const bytes = await readProved(registry, content);
  registry.contentCache.set(content.digest, bytes);
  return bytes;
}

/** Looks at what is stored, where `openContent` will not read it before the answer begins. @throws DamagedContent. */
export async function requireSendable(registry: Registry, content: Holding): Promise<void> {
  if (content.sizeBytes > cachedBytesMax) await requireStored(registry, content);
}

/** The bytes for an answer: from memory while they are few, else from where they lie as they are sent. */
export async function openContent(
  registry: Registry,
  content: Holding,
  range: ContentRange | null,
  how: OpenHow = {},
): Promise<OpenContent> {
  const { digest, sizeBytes } = content;
  requireUnmarked(content);
  if (sizeBytes > cachedBytesMax) return openStored(registry, content, range, how);
  // What is in memory costs no promise more.
  const bytes = registry.contentCache.get(digest) ?? (await readNew(registry, content));
  return {
    kind: "bytes",
    bytes: range === null ? bytes : bytes.subarray(range.first, range.last + 1),
  };
}

async function openStored(
  registry: Registry,
  content: Holding,
  range: ContentRange | null,
  how: OpenHow,
): Promise<OpenContent> {
  const { repository, digest } = content;
  try {
    const opened = await registry.blobs.open(repository, digest, range, how);
    if (opened.kind !== "stream") return opened;
    return { ...opened, stream: toldWhenBroken(registry, content, opened.stream) };
  } catch (error) {
    throw error instanceof ContentGone ? await lost(registry, content, error) : error;
  }
}

/**
 * What to throw where a store has lost the bytes. One that knows content by its rows learns of it by a mark: from then on
 * no HEAD says that the content is there, and clients send it again.
 */
async function lost(
  registry: Registry,
  content: Holding,
  { stamp }: ContentGone,
): Promise<DamagedContent> {
  const { repository, digest, sizeBytes } = content;
  const damaged = new DamagedContent(content, "gone");
  if (stamp === null) return damaged;
  await registry.metadata.commit({
    repository,
    preconditions: [
      { kind: "known", digest },
      { kind: "bytes-are", digest, stamp },
    ],
    changes: [{ kind: "mark-damaged", digest, sizeBytes, how: "missing", stamp }],
    by: null,
  });
  reportDamage(registry, content, damaged);
  return damaged;
}

/** Breaks off as the stream does, and tells the operator why. */
function toldWhenBroken(
  { report }: Registry,
  { repository, digest }: Holding,
  stream: ReadableStream<Uint8Array>,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value } = await reader.read();
          if (value === undefined) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          const problem = error instanceof Error ? error.message : String(error);
          report("error", "content broke off while it was sent", { repository, digest, problem });
          // The runtime prints what it is given here to standard error.
          controller.error();
        }
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 0 },
  );
}

/** Answers "is it there?" where no bytes are sent, by a look of just now. @throws DamagedContent. */
export async function requireContent(registry: Registry, content: Holding): Promise<void> {
  const { clock, contentCache } = registry;
  const nowMs = clock.monotonicMs();
  requireUnmarked(content);
  if (contentCache.wasSeen(content, nowMs)) return;
  await requireStored(registry, content);
  if (content.sizeBytes <= cachedBytesMax) await readContent(registry, content);
  contentCache.see(content, nowMs);
}

/** Reads what is stored, and believes the bytes only by their digest. */
async function readProved(registry: Registry, content: Holding): Promise<Uint8Array> {
  const { repository, digest, sizeBytes } = content;
  await requireStored(registry, content);
  const bytes = await registry.blobs.read(repository, digest, sizeBytes);
  if (bytes === null) throw await whyAbsent(registry, content);
  if (bytes.length !== sizeBytes) throw new DamagedContent(content, `${bytes.length} bytes`);
  if (digestOf(algorithmOf(digest), bytes) === digest) return bytes;
  throw new DamagedContent(content, "as many that have another digest");
}

/** Asks a store once more, which may tell what it misses. */
async function whyAbsent(registry: Registry, content: Holding): Promise<Error> {
  const { repository, digest } = content;
  try {
    const opened = await registry.blobs.open(repository, digest, null);
    if (opened.kind === "stream") await opened.stream.cancel();
    return new DamagedContent(content, "gone");
  } catch (error) {
    if (error instanceof ContentGone) return lost(registry, content, error);
    throw error;
  }
}

/** Whether a repository can be a source of this content for another; one that cannot is reported. */
export function isSource(registry: Registry, content: Holding): Promise<boolean> {
  return isSound(registry, content, async () => {
    if (content.sizeBytes > cachedBytesMax) await requireStored(registry, content);
    else await readProved(registry, content);
  });
}

/** Whether a manifest may name this content; what is damaged is reported. */
export function isHeld(registry: Registry, content: Holding): Promise<boolean> {
  return isSound(registry, content, () => requireStored(registry, content));
}

async function isSound(
  registry: Registry,
  content: Holding,
  check: () => Promise<void>,
): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (!(error instanceof DamagedContent)) throw error;
    reportDamage(registry, content, error);
    return false;
  }
}

/** Reports damage to the operator where it is no error to the client. */
export function reportDamage({ report }: Registry, content: Holding, found: Error): void {
  const { repository, digest } = content;
  report("error", "content is damaged; a push of it repairs it", {
    repository,
    digest,
    problem: found.message,
  });
}
