/**
 * Why a blob or a manifest is kept: every way from a tag, an index or a subject down to it; or that nothing names it,
 * since when, and when it goes.
 */
import { collection } from "../../metadata/collection.ts";
import { retention } from "../../metadata/retention.ts";
import { parseDigest, type Digest } from "../../oci/digest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { Registry } from "../registry.ts";
import { absentError, resolveManifest } from "../resolve.ts";
import { decideUntagged, protectionOf, type Subject, type Verdict } from "./decide.ts";
import { policyOf, rulesOf } from "./rules.ts";

/** Ways that are told, and names that are looked at on each step of one. */
const waysMax = 100;
const namesMax = 100;
/** Indexes in indexes, and referrers of referrers, that are followed. */
const depthMax = 16;
/** Manifests that are looked at: of indexes in indexes there may be far more ways than manifests. */
const looksMax = 1_000;

export interface Step {
  readonly kind: "tag" | "subject" | "index" | "manifest" | "blob";
  /** A tag, or a digest. */
  readonly name: string;
}

export interface Why {
  readonly repository: string;
  readonly digest: string;
  readonly kind: "manifest" | "blob";
  /** From what keeps it down to it. Empty: nothing names it. */
  readonly ways: readonly (readonly Step[])[];
  /** Not all ways are told. */
  readonly isCutOff: boolean;
  readonly protection: string | null;
  /** Since when nothing names it; null while something does. */
  readonly unnamedSince: number | null;
  /** What collection decides about what nothing names; null while something does, or may. */
  readonly verdict: Pick<Verdict, "decision" | "reason" | "lookAgainAt"> | null;
}

/** @throws NAME_UNKNOWN, MANIFEST_UNKNOWN for what the repository does not have. */
export async function whyKept(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<Why> {
  const found = await find(registry, repository, reference);
  if ("heldFrom" in found) return whyHeld(registry, repository, found);
  const { digest, kind } = found;
  const search = new Search(registry, repository);
  await search.from({ name: digest, kind }, []);
  const policy = policyOf(registry.retention, repository);
  const named = { tag: reference.kind === "tag" ? reference.tag : null, digest };
  const unnamed =
    search.ways.length > 0 || search.isCutOff
      ? null
      : await unnamedOf(registry, repository, digest, kind);
  return {
    repository,
    digest,
    kind,
    ways: search.ways,
    isCutOff: search.isCutOff,
    protection: protectionOf(policy, named),
    unnamedSince: unnamed?.since ?? null,
    verdict: unnamed?.verdict ?? null,
  };
}

interface Found {
  readonly digest: Digest;
  readonly kind: "manifest" | "blob";
}

/** Only undo holds it. */
interface HeldFound extends Found {
  readonly heldFrom: number;
}

/** Nothing names it, and an undo brings it back until its time is over. */
function whyHeld(
  registry: Registry,
  repository: string,
  { digest, kind, heldFrom }: HeldFound,
): Why {
  return {
    repository,
    digest,
    kind,
    ways: [],
    isCutOff: false,
    protection: null,
    unnamedSince: heldFrom,
    verdict: {
      decision: "keep",
      reason: "removed, and held for an undo",
      lookAgainAt: heldFrom + registry.undo().windowMs,
    },
  };
}

async function find(
  registry: Registry,
  repository: string,
  reference: Reference,
): Promise<Found | HeldFound> {
  const resolved = await resolveManifest(registry, repository, reference);
  if (resolved.found !== null) return { digest: resolved.found.digest, kind: "manifest" };
  if (reference.kind === "digest") {
    const { digest } = reference;
    const reads = registry.metadata.records(collection);
    const { sizeBytes } = await reads.blob(repository, digest);
    if (sizeBytes !== null) return { digest, kind: "blob" };
    const { past } = registry.metadata;
    const heldFrom = await past.heldFrom(repository, digest);
    if (heldFrom !== null) {
      const isManifest = (await past.manifest(repository, digest)) !== null;
      return { digest, kind: isManifest ? "manifest" : "blob", heldFrom };
    }
  }
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  throw absentError(resolved.why, "MANIFEST_UNKNOWN", { name: repository, reference: text });
}

/** Goes up from a digest to what keeps it. */
class Search {
  readonly ways: (readonly Step[])[] = [];
  isCutOff = false;
  #looks = 0;
  readonly #registry: Registry;
  readonly #repository: string;

  constructor(registry: Registry, repository: string) {
    this.#registry = registry;
    this.#repository = repository;
  }

  /** `below` is the way from there down. */
  async from(step: Step, below: readonly Step[]): Promise<void> {
    const way = [step, ...below];
    const digest = parseDigest(step.name);
    if (digest === null) return;
    this.#looks += 1;
    if (way.length > depthMax || this.ways.length >= waysMax || this.#looks > looksMax) {
      this.isCutOff = true;
      return;
    }
    const { metadata } = this.#registry;
    if (step.kind !== "blob") {
      for (const tag of await metadata.tagsOf(this.#repository, digest, namesMax)) {
        this.#add([{ kind: "tag", name: tag }, ...way]);
      }
      const { subject, isSubjectHere } = await metadata
        .records(collection)
        .manifest(this.#repository, digest, 0);
      // A referrer is named by nothing: it stays with what it is about.
      if (subject !== null && isSubjectHere)
        this.#add([{ kind: "subject", name: subject }, ...way]);
    }
    const kind = step.kind === "blob" ? "manifest" : "index";
    const parents = metadata.records(retention).parents(this.#repository, digest, namesMax);
    for (const name of await parents) {
      if (way.some((each) => each.name === name)) continue;
      await this.from({ kind, name }, way);
    }
  }

  #add(way: readonly Step[]): void {
    if (this.ways.length < waysMax) this.ways.push(way);
    else this.isCutOff = true;
  }
}

async function unnamedOf(
  registry: Registry,
  repository: string,
  digest: Digest,
  kind: "manifest" | "blob",
): Promise<{ since: number; verdict: Why["verdict"] }> {
  const { metadata, clock, retention: rules } = registry;
  const now = clock.now();
  const reads = metadata.records(collection);
  const candidate = await reads.candidate(repository, digest, kind);
  const since = candidate?.since ?? now;
  const [pin] = await metadata.past.pinnedUntil(repository, [digest]);
  if (pin !== undefined && pin.until > now) {
    const verdict = { decision: "keep", reason: "brought back by an undo" } as const;
    return { since, verdict: { ...verdict, lookAgainAt: pin.until } };
  }
  if (kind === "blob") {
    const due = since + rulesOf(rules, repository).gcDelayMs;
    const verdict =
      due > now
        ? { decision: "keep" as const, reason: "lost its last name less than gcDelay ago" }
        : { decision: "delete" as const, reason: "no manifest names it" };
    return { since, verdict: { ...verdict, lookAgainAt: due > now ? due : null } };
  }
  const { pushedAt, subject } = await reads.manifest(repository, digest, 0);
  const [pulls] = await metadata.records(retention).pulls(repository, [digest]);
  const gone: Subject = { isHere: false, goneSince: since };
  const facts = {
    digest,
    since,
    pushedAt: pushedAt ?? since,
    pulledAt: pulls?.at ?? null,
    subject: subject === null ? null : gone,
  };
  // Alone: a rule that counts looks at the others, too, when it decides.
  const verdict = decideUntagged(repository, [facts], { rules, now }).get(facts) ?? null;
  return { since, verdict };
}
