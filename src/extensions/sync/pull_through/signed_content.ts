/**
 * Which content of an upstream may come here where only what is signed may (`onlySigned`): a signed image or index, what a
 * cached index or manifest names, and what is about something signed, its signatures among them. An image or an index is no
 * such thing, whatever it says that it is about: whoever may push to the upstream can say so.
 */
import type { Clock } from "../../../lib/clock.ts";
import { Lru } from "../../../lib/lru.ts";
import { isJsonObject } from "../../../lib/strict_json.ts";
import { collection } from "../../../metadata/collection.ts";
import { parseDigest, type Digest } from "../../../oci/digest.ts";
import { isMediaTypeOfConfig } from "../../../oci/image_config.ts";
import { subjectOfTag } from "../../../oci/referrers.ts";
import type { Registry } from "../../../registry/registry.ts";
import { isSigned } from "../signed.ts";
import type { MirroredName } from "./mirror.ts";

/** Digests that a worker knows to be signed, and for how long it believes that they still are. */
const signedMax = 10_000;
const signedLastsMs = 10 * 60_000;

export class SignedContent {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #until = new Lru<string, number>({ entriesMax: signedMax });

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#clock = registry.clock;
  }

  forget(): void {
    this.#until.clear();
  }

  /** Whether a tag may come that points at a digest. A tag that is about an image may come with it. @throws UpstreamTrouble */
  async hasTag(source: MirroredName, tag: string, digest: string): Promise<boolean> {
    return !source.mirror.onlySigned || this.#isSigned(source, subjectOfTag(tag) ?? digest);
  }

  /** Whether a manifest may be asked for by its digest; `bytes` once they are known. @throws UpstreamTrouble */
  async hasManifest(
    source: MirroredName,
    repository: string,
    digest: Digest,
    bytes: Uint8Array | null = null,
  ): Promise<boolean> {
    if (!source.mirror.onlySigned) return true;
    const { parent } = await this.#registry.metadata
      .records(collection)
      .manifest(repository, digest, 0);
    if (parent !== null || (await this.#isSigned(source, digest))) return true;
    const subject = bytes === null ? null : subjectIn(bytes);
    return subject !== null && this.#isSigned(source, subject);
  }

  async #isSigned({ mirror, name }: MirroredName, digest: string): Promise<boolean> {
    const { upstream, takesCosignTags: withCosignTags } = mirror;
    const key = `${upstream.host} ${name}@${digest}`;
    if ((this.#until.get(key) ?? -Infinity) > this.#clock.monotonicMs()) return true;
    if (!(await isSigned(upstream, { name, digest }, { withCosignTags }))) return false;
    this.#until.set(key, this.#clock.monotonicMs() + signedLastsMs);
    return true;
  }
}

/** What a manifest says that it is about; null for what can be run, which needs a signature of its own. */
function subjectIn(manifest: Uint8Array): Digest | null {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(manifest));
  } catch {
    return null;
  }
  if (!isJsonObject(document)) return null;
  const { subject, config } = document;
  const configType = isJsonObject(config) ? config["mediaType"] : null;
  if (typeof configType !== "string" || isMediaTypeOfConfig(configType)) return null;
  const digest = isJsonObject(subject) ? subject["digest"] : null;
  return typeof digest === "string" ? parseDigest(digest) : null;
}
