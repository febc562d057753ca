/**
 * What removals free, one after the other: bytes that nothing keeps any more once this one and those before it are done.
 * So the figures of a plan add up, though each of two tags alone frees nothing where they share their image.
 *
 * Bytes that another repository has, too, are freed with the last of them; `hereBytes` is what goes from the
 * repositories themselves.
 */
import { collection } from "../../metadata/collection.ts";
import { retention } from "../../metadata/retention.ts";
import { usage } from "../../metadata/usage.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import type { Registry } from "../registry.ts";
import { policyOf } from "./rules.ts";

/** Names that are looked at: with more, something keeps it. */
const namesMax = 1_000;

export class FreedBytes {
  readonly #registry: Registry;
  /** `repository name`, of tags, manifests and blobs that are gone by then. */
  readonly #gone = new Set<string>();
  #hereBytes = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** What all of them took in their repositories, whoever else has it. */
  get hereBytes(): number {
    return this.#hereBytes;
  }

  /** A tag goes, and with it what it alone kept. */
  async ofTag(repository: string, { tag, digest }: { tag: string; digest: string }) {
    this.#gone.add(`${repository} ${tag}`);
    return await this.#manifest(repository, digest);
  }

  async ofManifest(repository: string, digest: string): Promise<number> {
    return await this.#manifest(repository, digest);
  }

  async ofBlob(repository: string, digest: string, sizeBytes: number): Promise<number> {
    return await this.#blob(repository, digest, sizeBytes);
  }

  #isGone(repository: string, name: string): boolean {
    return this.#gone.has(`${repository} ${name}`);
  }

  async #manifest(repository: string, text: string): Promise<number> {
    const digest = parseDigest(text);
    if (digest === null || this.#isGone(repository, digest)) return 0;
    const { metadata } = this.#registry;
    const found = await metadata.records(collection).manifest(repository, digest, namesMax);
    if (found.sizeBytes === null || found.tags.length >= namesMax) return 0;
    if (found.tags.some((tag) => !this.#isGone(repository, tag))) return 0;
    const { subject } = found;
    if (found.isSubjectHere && subject !== null && !this.#isGone(repository, subject)) return 0;
    if (!(await this.#areParentsGone(repository, digest))) return 0;
    this.#gone.add(`${repository} ${digest}`);
    let bytes = await this.#content(digest, found.sizeBytes);
    for (const child of await metadata.records(retention).children(repository, digest)) {
      bytes +=
        child.target === "manifest"
          ? await this.#manifest(repository, child.digest)
          : await this.#blob(repository, child.digest, child.sizeBytes);
    }
    return bytes + (await this.#referrers(repository, digest));
  }

  /** Manifests that are about it go with it, where the policy says so. */
  async #referrers(repository: string, subject: Digest): Promise<number> {
    const { metadata, retention: rules } = this.#registry;
    if (!policyOf(rules, repository).deleteReferrers) return 0;
    const reads = metadata.records(retention);
    let bytes = 0;
    for (const digest of await reads.referrers(repository, subject, namesMax)) {
      bytes += await this.#manifest(repository, digest);
    }
    return bytes;
  }

  async #blob(repository: string, text: string, sizeBytes: number | null): Promise<number> {
    const digest = parseDigest(text);
    if (digest === null || sizeBytes === null || this.#isGone(repository, digest)) return 0;
    if (!(await this.#areParentsGone(repository, digest))) return 0;
    this.#gone.add(`${repository} ${digest}`);
    return await this.#content(digest, sizeBytes);
  }

  /** Bytes go with the last of those who have them. */
  async #content(digest: Digest, sizeBytes: number): Promise<number> {
    this.#hereBytes += sizeBytes;
    const reads = this.#registry.metadata.records(usage);
    const holders = await reads.holdersOf(digest, namesMax);
    const isLast = holders.length < namesMax && holders.every((name) => this.#isGone(name, digest));
    return isLast ? sizeBytes : 0;
  }

  async #areParentsGone(repository: string, digest: string): Promise<boolean> {
    const reads = this.#registry.metadata.records(retention);
    const parents = await reads.parents(repository, digest, namesMax);
    return parents.length < namesMax && parents.every((name) => this.#isGone(repository, name));
  }
}
