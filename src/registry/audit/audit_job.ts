/**
 * The job that compares stores of objects with the metadata: when an audit begins, what becomes of what it finds, and
 * what is kept of it.
 *
 * Content whose object is gone is looked at and marked as a check of content would do it, so that a push repairs it, and
 * the log names the tags. Objects that nothing knows stay, unless somebody has asked for more. An audit that is broken
 * off goes on where it was.
 */
import { parseDigest } from "../../oci/digest.ts";
import { objects } from "../../metadata/objects.ts";
import { scrub } from "../../metadata/scrub.ts";
import { StoreRefused, StoreUnavailable } from "../../storage/blob_store.ts";
import type { AuditHooks, LostObject, LyingObject, StoreAudit } from "../../storage/stores.ts";
import { nameBytes } from "../name_bytes.ts";
import type { Registry } from "../registry.ts";
import type { RegistryJob } from "../registry_job.ts";
import { ContentChecker, type ScrubFound } from "../scrub/content_checker.ts";
import { Pace } from "../scrub/pace.ts";
import { newAudit, noteAudit, readAudit, readWish, type AuditRecord } from "./audit_record.ts";

/** What somebody asks for counts after so long. */
const looksEveryMs = 5_000;
/** What is done is noted so often. */
const notedEveryMs = 5_000;
/** After a page it rests so many times as long as the page took. */
const restFactor = 4;
/** A store that does not answer is asked again after so long. */
const againMs = 5 * 60_000;
/** Objects that nothing knows and that are told one by one. */
const foundMax = 100;

export interface AuditJobOptions {
  readonly registry: Registry;
  readonly audits: readonly StoreAudit[];
  /** Between the beginnings of two audits; 0 for none but those that somebody asks for. */
  readonly intervalMs: () => number;
  /** Hears of content that is damaged. */
  readonly onFound?: ((found: ScrubFound) => void) | undefined;
}

export function auditJob(options: AuditJobOptions): Omit<RegistryJob, "name" | "lease"> {
  const job = new AuditJob(options);
  return { everyMs: looksEveryMs, followsCommits: false, run: (signal) => job.run(signal) };
}

class AuditJob {
  readonly #options: AuditJobOptions;
  #last: AuditRecord | null = null;
  #isFirst = true;

  constructor(options: AuditJobOptions) {
    this.#options = options;
  }

  /** How soon to look again; null for the usual time. */
  async run(signal: AbortSignal): Promise<number | null> {
    if (this.#options.audits.length === 0) return null;
    const record = await this.#begun();
    return record === null ? null : await new Audit(this.#options, record, signal).run();
  }

  /** A registry that has no objects yet has nothing to look at: its first audit comes with the next time. */
  async #begin(): Promise<AuditRecord | null> {
    const { registry } = this.#options;
    const [first] = await registry.metadata.records(objects).keys("", 1);
    if (first !== undefined) return null;
    const now = registry.clock.now();
    const record: AuditRecord = { ...newAudit(now, null), to: now, outcome: "done" };
    await noteAudit(registry, record);
    return record;
  }

  /** The audit that is to go on; null until the next one begins. */
  async #begun(): Promise<AuditRecord | null> {
    const { registry, intervalMs } = this.#options;
    if (this.#isFirst) this.#last = (await readAudit(registry)) ?? (await this.#begin());
    this.#isFirst = false;
    if (this.#last?.outcome === "running") return this.#last;
    const wish = await readWish(registry);
    const now = registry.clock.now();
    const { from = 0, wishAt = null } = this.#last ?? {};
    const isAsked = wish !== null && wish.at !== wishAt;
    // Whichever way the clock was set meanwhile.
    const isDue = intervalMs() > 0 && Math.abs(now - from) >= intervalMs();
    if (!isAsked && !isDue) return null;
    this.#last = isAsked ? newAudit(now, wish) : { ...newAudit(now, null), wishAt };
    return this.#last;
  }
}

class Audit {
  readonly #options: AuditJobOptions;
  readonly #record: AuditRecord;
  readonly #signal: AbortSignal;
  readonly #checker: ContentChecker;
  #notedAtMs = 0;
  #pageAtMs = 0;

  constructor(options: AuditJobOptions, record: AuditRecord, signal: AbortSignal) {
    this.#options = options;
    this.#record = record;
    this.#signal = signal;
    const { registry, onFound } = options;
    const pace = new Pace(registry.clock);
    this.#checker = new ContentChecker({
      registry,
      signal,
      onFound,
      onSlice: (bytes, ms) => pace.rest(bytes, ms, signal),
      onDiskError: () => undefined,
    });
  }

  /** How soon it wants to go on; null where it has ended, or was stopped. */
  async run(): Promise<number | null> {
    const record = this.#record;
    try {
      if (!(await this.#steps())) return null;
      record.outcome = "done";
    } catch (error) {
      const { report } = this.#options.registry;
      if (error instanceof StoreUnavailable) {
        report("warn", "an audit waits for the store of objects", { problem: error.message });
        return againMs;
      }
      if (!(error instanceof StoreRefused)) throw error;
      record.outcome = "failed";
      record.problem = error.message;
    }
    record.to = this.#options.registry.clock.now();
    await this.#note();
    this.#tell();
    return null;
  }

  /** False where it was stopped. A step that is broken off is done again. */
  async #steps(): Promise<boolean> {
    const record = this.#record;
    const { audits } = this.#options;
    const steps = (
      await Promise.all(
        audits.map(async (audit) => {
          const of = await audit.steps();
          return Array.from({ length: of }, (_, number) => ({ audit, number, of }));
        }),
      )
    ).flat();
    // Other steps than before it was broken off: it begins again.
    if (record.steps !== 0 && record.steps !== steps.length) {
      Object.assign(record, { ...newAudit(record.from, record.wish), wishAt: record.wishAt });
    }
    record.steps = steps.length;
    // Of whichever store: they have one database.
    const restores = await Promise.all(audits.map((audit) => audit.restoredAt()));
    record.restoredAt = restores.reduce(
      (last, at) => (at === null ? last : Math.max(at, last ?? at)),
      null,
    );
    await this.#note();
    for (const { audit, number, of } of steps.slice(record.step)) {
      if (this.#signal.aborted) return false;
      this.#pageAtMs = this.#options.registry.clock.monotonicMs();
      const before = structuredClone(record);
      try {
        await audit.step({ number, of }, this.#hooks(audit));
      } catch (error) {
        Object.assign(record, before);
        if (this.#signal.aborted) return false;
        throw error;
      }
      record.step += 1;
      await this.#noteSometimes();
    }
    return true;
  }

  #hooks(audit: StoreAudit): AuditHooks {
    const record = this.#record;
    return {
      signal: this.#signal,
      restoredAt: record.restoredAt,
      onSound: async (objects, bytes) => {
        record.objects += objects;
        record.bytes += bytes;
        await this.#rest();
      },
      onLost: (lost) => this.#lost(lost),
      onStray: (stray) => this.#stray(audit, stray),
      onUnfinished: () => {
        record.unfinished += 1;
      },
    };
  }

  /** Others have their turn. */
  async #rest(): Promise<void> {
    const { clock } = this.#options.registry;
    const tookMs = clock.monotonicMs() - this.#pageAtMs;
    await clock.sleep(tookMs * restFactor, this.#signal);
    this.#pageAtMs = clock.monotonicMs();
  }

  async #lost({ key, names, foundBytes, sizeBytes }: LostObject): Promise<void> {
    const { metadata, report } = this.#options.registry;
    const live = names.filter(({ repository }) => repository !== "");
    // What lies in quarantine is known to be damaged.
    if (live.length === 0) return;
    this.#record.lost += 1;
    report("error", "an object is gone from the store of objects, or is another one", {
      key,
      sizeBytes,
      foundBytes,
      names: live.slice(0, 10),
    });
    const reads = metadata.records(scrub);
    const digests = new Set(live.flatMap(({ name }) => parseDigest(name) ?? []));
    for (const digest of digests) {
      // Blobs, which are looked at wherever they are, then manifests of each repository.
      this.#record.marked += (await this.#checker.check({ ...unchecked, digest })).damaged;
      for (const { repository, name } of live) {
        if (name !== digest || (await reads.manifestsIn(repository, digest)).length === 0) continue;
        const { damaged } = await this.#checker.check({ ...unchecked, digest, repository });
        this.#record.marked += damaged;
      }
    }
  }

  async #stray(audit: StoreAudit, stray: LyingObject): Promise<void> {
    const record = this.#record;
    const strays = record.wish?.strays ?? "tell";
    record.strays += 1;
    record.strayBytes += stray.sizeBytes;
    const isProbe = stray.key.startsWith("probe/");
    if (isProbe || (strays === "remove" && this.#mayRemove(stray))) {
      await audit.remove(stray);
      record.removed += 1;
      return;
    }
    const isTold = record.found.length < foundMax;
    const isAdopted = typeof strays === "object";
    if (!isTold && !isAdopted) return;
    const digest = isAdopted ? await audit.hash(stray, this.#signal) : null;
    if (isAdopted && digest !== null) {
      if (await this.#adopt(audit, { stray, digest, repository: strays.adoptAs })) {
        record.adopted += 1;
        return;
      }
    }
    if (isTold) record.found.push({ ...stray, digest });
  }

  /** What was written before a restore may be all that is left of a push. */
  #mayRemove({ changedAt }: LyingObject): boolean {
    const { wish, restoredAt } = this.#record;
    return wish?.alsoBeforeRestore === true || restoredAt === null || changedAt > restoredAt;
  }

  async #adopt(
    audit: StoreAudit,
    {
      stray,
      digest,
      repository,
    }: {
      readonly stray: LyingObject;
      readonly digest: NonNullable<ReturnType<typeof parseDigest>>;
      readonly repository: string;
    },
  ): Promise<boolean> {
    const { sizeBytes } = stray;
    const { registry } = this.#options;
    return await nameBytes(registry, {
      digest,
      isVerified: true,
      place: async () => {
        const known = await registry.blobs.size(repository, digest);
        if (known === null && !(await audit.adopt(stray, repository, digest))) return null;
        const changes = [{ kind: "link-blob", digest, sizeBytes } as const];
        return { commit: { repository, preconditions: [], changes, by: null }, unnamed: null };
      },
    });
  }

  async #noteSometimes(): Promise<void> {
    const nowMs = this.#options.registry.clock.monotonicMs();
    if (nowMs - this.#notedAtMs >= notedEveryMs) await this.#note();
  }

  async #note(): Promise<void> {
    const { registry } = this.#options;
    this.#notedAtMs = registry.clock.monotonicMs();
    await noteAudit(registry, this.#record);
  }

  #tell(): void {
    const { outcome, problem, objects, bytes, lost, marked } = this.#record;
    const { strays, strayBytes, removed, adopted, unfinished } = this.#record;
    const isBad = outcome === "failed" || lost > 0;
    const level = isBad ? "error" : strays > removed + adopted ? "warn" : "info";
    this.#options.registry.report(level, "an audit of the store of objects has ended", {
      module: "audit",
      outcome,
      ...(problem === null ? {} : { problem }),
      objects,
      bytes,
      lost,
      marked,
      strays,
      strayBytes,
      removed,
      adopted,
      unfinished,
    });
  }
}

/** What a check asks for beside digest and repository. */
const unchecked = { repository: "", sizeBytes: 0, checkedAt: 0 };
