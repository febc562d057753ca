/** A repository of a registry that nobody serves, as a target of images: what comes is pushed by the rules of any push. */
import { MiB } from "../../lib/bytes.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import { appendUpload, type AppendRequest } from "../../registry/append_upload.ts";
import { readContent } from "../../registry/content.ts";
import { mountBlob } from "../../registry/mount_blob.ts";
import { finishUpload, pushBytes } from "../../registry/push_blob.ts";
import { pushManifest } from "../../registry/push_manifest.ts";
import type { Registry } from "../../registry/registry.ts";
import { resolveBlob, resolveManifest } from "../../registry/resolve.ts";
import {
  TransferError,
  type ImageTarget,
  type ManifestPlace,
  type NamedBlob,
  type Placed,
  type PlacedManifest,
  type ProvenContent,
} from "../../transfer/image_place.ts";

/** Blobs up to this need no upload, and larger ones are appended in pieces of it. */
const pieceBytes = 4 * MiB;
const parallelMax = 64;

export class RepositoryTarget implements ImageTarget {
  readonly label: string;
  readonly isWhole = true;
  readonly parallelMax = parallelMax;
  readonly #registry: Registry;

  constructor(registry: Registry, repository: string) {
    this.#registry = registry;
    this.label = repository;
  }

  tagDigest(tag: string): Promise<string | null> {
    return this.#digestOf({ kind: "tag", tag });
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return (await this.#digestOf({ kind: "digest", digest })) !== null;
  }

  async manifest(digest: Digest): Promise<PlacedManifest | null> {
    const { found } = await this.#resolve({ kind: "digest", digest });
    if (found === null) return null;
    const { mediaType } = found;
    return { digest, mediaType, bytes: await readContent(this.#registry, found) };
  }

  async hasBlob({ digest, sizeBytes }: NamedBlob): Promise<boolean> {
    const { found } = await resolveBlob(this.#registry, this.label, digest);
    return found !== null && found.sizeBytes === sizeBytes && found.damagedSince === undefined;
  }

  async putBlob(content: ProvenContent): Promise<Placed> {
    const { digest } = content;
    const registry = this.#registry;
    const repository = this.label;
    const mount = { repository, digest, from: null, mayRead: () => true, by: null };
    if (await mountBlob(registry, mount)) return "mounted";
    if (content.sizeBytes > pieceBytes) await this.#putLarge(content);
    else {
      const bytes = Buffer.concat(await Array.fromAsync(content.from(0)));
      await pushBytes(registry, { repository, digest, bytes, by: null });
    }
    return "sent";
  }

  async #putLarge(content: ProvenContent): Promise<void> {
    const { uploads } = this.#registry;
    const repository = this.label;
    const id = await uploads.start(repository);
    await uploads.hold(repository, id, async (upload) => {
      try {
        for await (const piece of inPieces(content.from(0))) {
          await appendUpload(upload, appendOf(piece));
        }
        const { digest } = content;
        const acknowledgedBytes = upload.sizeBytes;
        const last = appendOf(new Uint8Array());
        const end = { repository, digest, last, acknowledgedBytes, by: null };
        await finishUpload(this.#registry, upload, end);
      } catch (error) {
        await upload.discard();
        throw error;
      }
    });
  }

  async putManifest(manifest: PlacedManifest, { tag }: ManifestPlace): Promise<void> {
    const reference = parseReference(tag ?? manifest.digest);
    if (reference.kind === "invalid") {
      throw new TransferError(`${this.label}: expected a tag, got '${tag}'`);
    }
    await pushManifest(this.#registry, {
      repository: this.label,
      reference,
      tags: [],
      bytes: manifest.bytes,
      contentType: manifest.mediaType,
      tagIs: null,
      by: null,
    });
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}

  #resolve(reference: Reference) {
    return resolveManifest(this.#registry, this.label, reference);
  }

  async #digestOf(reference: Reference): Promise<string | null> {
    return (await this.#resolve(reference)).found?.digest ?? null;
  }
}

function appendOf(body: Uint8Array): AppendRequest {
  return { source: { body, lengthBytes: body.length }, chunk: null, uploadBytesMax: null };
}

/** Small pieces of a source would each cost a write. */
async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of source) {
    waiting.push(piece);
    bytes += piece.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(waiting, bytes);
    [waiting, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}
