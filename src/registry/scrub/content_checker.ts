/**
 * Checks content: reads it as it lies, and compares its digest and its length with what was recorded.
 *
 * What is wrong is marked first, so that nobody is given it from then on; then it is moved into quarantine, from every
 * repository that shares the file; then it is healed, if right bytes can be had. A crash between two of these steps
 * leaves a mark, and the next look goes on from there. Marks and moves are decided under the writer's lock, by the stamp
 * of what was read, so that a push which mends the content meanwhile is never undone.
 */
import { MiB } from "../../lib/bytes.ts";
import { scrub, type Checked, type Damage, type Damaged } from "../../metadata/scrub.ts";
import type { Digest } from "../../oci/digest.ts";
import { fileTrouble } from "../../storage/adopt.ts";
import type { Registry } from "../registry.ts";
import { affectedTags } from "./affected_tags.ts";
import { healers, type Healer } from "./healers.ts";
import { healed, markSound } from "./replace_copy.ts";

/** Read and hashed at once. */
const sliceBytes = MiB;
/** Repositories that are asked for at once. */
const pageMax = 256;
/** Tags that the line about damage tells. */
const toldTagsMax = 10;

export interface CheckerOptions {
  readonly registry: Registry;
  readonly signal: AbortSignal;
  /** Called after each slice; rests. */
  readonly onSlice: (bytes: number, ms: number) => Promise<void>;
  /** The disk could not read. */
  readonly onDiskError: () => void;
  /** Hears of damage that is not healed, and of what is right again. */
  readonly onFound?: ((found: ScrubFound) => void) | undefined;
  readonly healers?: readonly Healer[];
}

/** For the audit log: what a check found, or has put right. */
export interface ScrubFound {
  readonly kind: "damaged" | "healed";
  readonly repository: string;
  readonly digest: Digest;
  /** As the line of the log has it. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface CheckResult {
  /** Nothing has it any more. */
  readonly isGone: boolean;
  /** Copies, by repository, that were found damaged now and are not healed. */
  readonly damaged: number;
  /** Marks that went. */
  readonly healed: number;
}

interface Copy {
  readonly repository: string;
  readonly sizeBytes: number;
}

/** Copies that are one file, or nothing (without a stamp). */
interface File {
  readonly stamp: string | null;
  readonly isFile: boolean;
  readonly lengthBytes: number;
  readonly copies: Copy[];
}

export class ContentChecker {
  readonly #options: CheckerOptions;
  readonly #registry: Registry;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#registry = options.registry;
  }

  /** @throws when it is aborted, or for troubles of the machine. */
  async check({ digest, repository }: Checked): Promise<CheckResult> {
    const copies = await this.#copiesOf(digest, repository);
    const marks = await this.#reads.damagedAs(digest);
    const totals = { damaged: 0, healed: 0 };
    for (const file of await this.#filesOf(digest, copies)) {
      const how = await this.#look(digest, file);
      const names = new Set(file.copies.map((copy) => copy.repository));
      const marked = marks.filter((mark) => names.has(mark.repository));
      if (how === null) totals.healed += await this.#areSound(marked, file);
      else {
        const found = await this.#isDamaged({ digest, how, file, marked });
        totals.damaged += found.damaged;
        totals.healed += found.healed;
      }
    }
    return { isGone: copies.length === 0, ...totals };
  }

  /** Tries to heal what is marked, and ends what a crash has broken off. How many marks went. */
  async heal(mark: Damaged): Promise<boolean> {
    const { repository, digest, stamp } = mark;
    if (stamp !== null) await this.#quarantine(repository, digest);
    const current = await this.#reads.mark(repository, digest);
    if (current === null) return false;
    const look = await this.#registry.blobs.lookAt(repository, digest);
    if (look !== null && look.isFile && (await this.#isRight(repository, digest))) {
      return this.#isHealed(current, "somebody who put it there");
    }
    return this.#healBy(current);
  }

  get #reads() {
    return this.#registry.metadata.records(scrub);
  }

  async #copiesOf(digest: Digest, repository: string): Promise<Copy[]> {
    const { metadata } = this.#registry;
    if (repository !== "") {
      const [manifest] = await metadata.records(scrub).manifestsIn(repository, digest);
      return manifest === undefined ? [] : [{ repository, sizeBytes: manifest.sizeBytes }];
    }
    const copies: Copy[] = [];
    for (let after = 0; ;) {
      const page = await this.#reads.holdersOf(digest, after, pageMax);
      copies.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < pageMax) return copies;
      after = last.id;
    }
  }

  /** Copies that share a file are one. */
  async #filesOf(digest: Digest, copies: readonly Copy[]): Promise<File[]> {
    const files = new Map<string | null, File>();
    for (const copy of copies) {
      const look = await this.#registry.blobs.lookAt(copy.repository, digest);
      const stamp = look?.stamp ?? null;
      const known = files.get(stamp);
      if (known !== undefined) known.copies.push(copy);
      else {
        const isFile = look?.isFile ?? false;
        files.set(stamp, { stamp, isFile, lengthBytes: look?.sizeBytes ?? 0, copies: [copy] });
      }
    }
    return [...files.values()];
  }

  /** Null for what is right. What seems wrong is read a second time, before anything is moved. */
  async #look(digest: Digest, file: File): Promise<Damage | null> {
    const [copy] = file.copies;
    if (file.stamp === null || copy === undefined) return "missing";
    if (!file.isFile) return "no-file";
    if (file.lengthBytes !== copy.sizeBytes) return "size";
    const first = await this.#read(copy.repository, digest);
    return first === null ? null : this.#read(copy.repository, digest);
  }

  async #isRight(repository: string, digest: Digest): Promise<boolean> {
    return (await this.#read(repository, digest)) === null;
  }

  /** Hashes the content of a repository. Null for what is right. */
  async #read(repository: string, digest: Digest): Promise<Damage | null> {
    const { blobs, clock } = this.#registry;
    const { signal, onSlice, onDiskError } = this.#options;
    const check = blobs.check(repository, digest);
    try {
      for (;;) {
        signal.throwIfAborted();
        const startedMs = clock.monotonicMs();
        const slice = await unlessAborted(check.next(sliceBytes), signal);
        if (slice.digest !== null) return slice.digest === digest ? null : "wrong";
        await onSlice(slice.bytes, clock.monotonicMs() - startedMs);
      }
    } catch (error) {
      signal.throwIfAborted();
      const code = (error as { code?: unknown }).code;
      if (code === "ENOENT") return "missing";
      fileTrouble(error);
      if (code === "EIO") onDiskError();
      return code === "EISDIR" ? "no-file" : "unreadable";
    } finally {
      check.close();
    }
  }

  /** Right bytes lie where something was marked: a person may have put them there. */
  async #areSound(marked: readonly Damaged[], { stamp }: File): Promise<number> {
    let count = 0;
    for (const mark of marked) {
      const { repository, digest } = mark;
      if (stamp === null || !(await markSound(this.#registry, { repository, digest }, stamp))) {
        continue;
      }
      this.#tellHealed(mark, "somebody who put it there");
      count += 1;
    }
    return count;
  }

  async #isDamaged(found: {
    readonly digest: Digest;
    readonly how: Damage;
    readonly file: File;
    readonly marked: readonly Damaged[];
  }): Promise<{ damaged: number; healed: number }> {
    const { digest, how, file, marked } = found;
    const known = new Map(marked.map((mark) => [mark.repository, mark]));
    const totals = { damaged: 0, healed: 0 };
    const marks: Damaged[] = [];
    const seen = new Set<string>();
    const markAll = async (): Promise<void> => {
      for (const copy of await this.#allNames(digest, file)) {
        const before = known.get(copy.repository);
        // What is gone since it was marked is known.
        if (seen.has(copy.repository) || (before !== undefined && file.stamp === null)) continue;
        seen.add(copy.repository);
        const mark = await this.#mark(copy, digest, { how, stamp: file.stamp });
        if (mark !== null) marks.push(mark);
      }
    };
    await markAll();
    // Until they were marked a mount may have given the file one more name.
    await markAll();
    for (const mark of marks) {
      if (await this.#healBy(mark)) totals.healed += 1;
      else {
        totals.damaged += 1;
        await this.#tell(mark);
      }
    }
    return totals;
  }

  /** With names of the file that are no live blobs: manifests, and what undo holds. */
  async #allNames(digest: Digest, { stamp, copies }: File): Promise<readonly Copy[]> {
    const [first] = copies;
    if (stamp === null || first === undefined) return copies;
    const { sizeBytes } = first;
    const all = new Map(copies.map((copy) => [copy.repository, copy]));
    for (let after: number | null = 0; after !== null;) {
      const page: { names: readonly string[]; next: number | null } = await this.#reads.namedIn(
        digest,
        after,
        pageMax,
      );
      for (const repository of page.names) {
        if (all.has(repository)) continue;
        const look = await this.#registry.blobs.lookAt(repository, digest);
        if (look?.stamp === stamp) all.set(repository, { repository, sizeBytes });
      }
      after = page.next;
    }
    return [...all.values()];
  }

  /** Null where the content changed or lost its name meanwhile: that is no damage. */
  async #mark(
    { repository, sizeBytes }: Copy,
    digest: Digest,
    { how, stamp }: { readonly how: Damage; readonly stamp: string | null },
  ): Promise<Damaged | null> {
    const outcome = await this.#registry.metadata.commit({
      repository,
      preconditions: [
        { kind: "known", digest },
        { kind: "bytes-are", digest, stamp },
      ],
      changes: [{ kind: "mark-damaged", digest, sizeBytes, how, stamp }],
      by: null,
    });
    if (!outcome.committed) return null;
    if (stamp !== null) await this.#quarantine(repository, digest);
    return this.#reads.mark(repository, digest);
  }

  /** What cannot be moved stays where it is, marked: nobody is given it. */
  async #quarantine(repository: string, digest: Digest): Promise<void> {
    try {
      await this.#registry.metadata.commit({
        repository,
        preconditions: [],
        changes: [{ kind: "quarantine", digest }],
        by: null,
      });
    } catch (error) {
      const problem = String(error);
      this.#report("error", "damaged content could not be moved away; it is not served", {
        repository,
        digest,
        problem,
      });
    }
  }

  async #healBy(mark: Damaged): Promise<boolean> {
    const { signal, healers: table = healers } = this.#options;
    // What could not be moved away would be lost.
    if (mark.stamp !== null) return false;
    const isRight = (repository: string, digest: Digest): Promise<boolean> =>
      this.#isRight(repository, digest);
    for (const healer of table) {
      signal.throwIfAborted();
      try {
        if (!(await healer.heal(this.#registry, mark, { signal, isRight }))) continue;
        if (await this.#isHealed(mark, healer.name)) return true;
      } catch (error) {
        signal.throwIfAborted();
        const { repository, digest } = mark;
        const fields = { repository, digest, from: healer.name, problem: String(error) };
        this.#report("error", "damaged content could not be healed", fields);
      }
    }
    return false;
  }

  async #isHealed({ repository, digest }: Damaged, from: string): Promise<boolean> {
    const look = await this.#registry.blobs.lookAt(repository, digest);
    if (look === null) return false;
    if (!(await markSound(this.#registry, { repository, digest }, look.stamp))) return false;
    this.#tellHealed({ repository, digest }, from);
    return true;
  }

  #tellHealed({ repository, digest }: Pick<Damaged, "repository" | "digest">, from: string): void {
    this.#report("warn", healed, { repository, digest, from });
    this.#options.onFound?.({ kind: "healed", repository, digest, fields: { from } });
  }

  async #tell({ repository, digest, how, kept }: Damaged): Promise<void> {
    const affected = await affectedTags(this.#registry, { repository, digest }, toldTagsMax);
    const fields = { how, kept, ...affected };
    this.#report("error", "content is damaged; a push of it repairs it", {
      repository,
      digest,
      ...fields,
    });
    this.#options.onFound?.({ kind: "damaged", repository, digest, fields });
  }

  #report(level: "warn" | "error", message: string, fields: object): void {
    this.#registry.report(level, message, { module: "scrub", ...fields });
  }
}

/** A disk that fails keeps a read waiting for minutes, and a stop does not wait for it. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort);
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}
