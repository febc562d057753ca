/**
 * Says of a manifest whether all that it leads to is right: itself, its config and layers, the children of an index,
 * and what it is about. The checks and their texts are those of zot's scrub.
 *
 * A child or a subject that is not there is no fault: an index may have been copied in part, and a signature may come
 * before its image.
 */
import { essenceOf } from "../../lib/http_fields.ts";
import { algorithmOf, digestOf, parseDigest, type Digest } from "../../oci/digest.ts";
import { isManifestType } from "../../oci/media_types.ts";
import { readForeignManifest, type ForeignManifest } from "../foreign_manifest.ts";

export const faults = {
  wrong: "bad blob digest",
  missing: "blob not found",
  unreadable: "blob cannot be read",
  noManifest: "invalid manifest content",
  noConfig: "invalid server config",
} as const;

export type Fault = (typeof faults)[keyof typeof faults];

/** Indexes in indexes, and subjects of subjects, that are followed. */
const depthMax = 16;

/** What is looked at: the content of one repository. */
export interface JudgedContent {
  /** What is wrong with content; null for nothing. */
  fault(digest: Digest): Promise<Fault | null>;
  /** The bytes of a manifest or config; null for more than one has. */
  bytes(digest: Digest): Promise<Uint8Array | null>;
  /** Of a mirror: hears of a blob that is not here, and may come from its upstream. Left out where none may be missing. */
  readonly onAbsent?: (digest: Digest) => void;
}

export interface Affected {
  /** The digest of what is wrong, which is the manifest's own or of something that it leads to. */
  readonly blob: string;
  readonly error: Fault;
}

export interface JudgedManifest {
  readonly digest: string;
  readonly mediaType: string;
}

/** Judges the manifests of one repository, each once. */
export class ImageJudge {
  readonly #content: JudgedContent;
  readonly #known = new Map<string, Promise<Affected | null>>();

  constructor(content: JudgedContent) {
    this.#content = content;
  }

  /** What is wrong with it, or with what it leads to; null for nothing. */
  judge(manifest: JudgedManifest, depth = 0): Promise<Affected | null> {
    let judged = this.#known.get(manifest.digest);
    if (judged === undefined) {
      // Nothing leads to itself: what is followed has the digest of its bytes.
      judged = this.#judge(manifest, depth);
      this.#known.set(manifest.digest, judged);
    }
    return judged;
  }

  async #judge(manifest: JudgedManifest, depth: number): Promise<Affected | null> {
    const digest = parseDigest(manifest.digest);
    if (digest === null) return { blob: manifest.digest, error: faults.wrong };
    const own = await this.#content.fault(digest);
    if (own !== null) return { blob: digest, error: own };
    const bytes = await this.#content.bytes(digest);
    if (!isRight(bytes, digest)) return { blob: digest, error: faults.wrong };
    const read = bytes === null ? null : readForeignManifest(digest, manifest.mediaType, bytes);
    if (bytes === null || read === null) {
      const isOther = manifest.mediaType !== "" && !isManifestType(manifest.mediaType);
      return isOther ? null : { blob: digest, error: faults.noManifest };
    }
    if (depth >= depthMax) return null;
    return (
      (await this.#judgeBlobs(read, bytes)) ??
      (await this.#judgeOthers(read.children, depth)) ??
      (await this.#judgeSubject(read, bytes, depth))
    );
  }

  async #judgeBlobs(read: ForeignManifest, bytes: Uint8Array): Promise<Affected | null> {
    const children = new Set(read.children.map((child) => child.digest));
    const config = descriptorIn(bytes, "config");
    for (const text of read.needed) {
      if (children.has(text)) continue;
      const digest = parseDigest(text);
      if (digest === null) continue;
      const fault = await this.#content.fault(digest);
      if (fault === faults.missing && this.#content.onAbsent !== undefined) {
        this.#content.onAbsent(digest);
        continue;
      }
      const error = fault ?? (await this.#configFault(digest, config));
      if (error !== null) return { blob: digest, error };
    }
    return null;
  }

  /** A config that says that it is JSON has to be. */
  async #configFault(digest: Digest, config: JudgedManifest | null): Promise<Fault | null> {
    if (config?.digest !== digest || !/[+/]json$/.test(essenceOf(config.mediaType))) return null;
    const bytes = await this.#content.bytes(digest);
    if (!isRight(bytes, digest)) return faults.wrong;
    return bytes === null || isJson(bytes) ? null : faults.noConfig;
  }

  async #judgeOthers(others: readonly JudgedManifest[], depth: number): Promise<Affected | null> {
    for (const other of others) {
      const digest = parseDigest(other.digest);
      if (digest === null || (await this.#content.fault(digest)) === faults.missing) continue;
      const affected = await this.judge(other, depth + 1);
      if (affected !== null) return affected;
    }
    return null;
  }

  async #judgeSubject(
    { manifest: { subject } }: ForeignManifest,
    bytes: Uint8Array,
    depth: number,
  ): Promise<Affected | null> {
    if (subject === null) return null;
    const mediaType = descriptorIn(bytes, "subject")?.mediaType ?? "";
    return this.#judgeOthers([{ digest: subject, mediaType }], depth);
  }
}

/** A descriptor of a document that is known to be a JSON object. */
function descriptorIn(bytes: Uint8Array, member: "config" | "subject"): JudgedManifest | null {
  const document = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  const { digest, mediaType } = (document[member] ?? {}) as Record<string, unknown>;
  if (typeof digest !== "string" || typeof mediaType !== "string") return null;
  return { digest, mediaType };
}

/** Bytes that the disk changed after they were checked say nothing. */
function isRight(bytes: Uint8Array | null, digest: Digest): boolean {
  return bytes === null || digestOf(algorithmOf(digest), bytes) === digest;
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    return false;
  }
}
