// The model: what must be in a repository, and what must not, by the promises of the guides and nothing of the code.
//
// Content is wanted while a tag reaches it: through what manifests name, and from a subject to its referrers. What is
// wanted no more stays for a delay since then, or since it was pushed; what it names stays as long as it does. Where a
// crash leaves two possible times, `lo` is the earliest, which says what must be there, and `hi` the latest, which says
// what must be gone. Times are those of a clock that never jumps.

import { itemOf, type Item } from "./content.ts";

export interface Times {
  readonly lo: number;
  readonly hi: number;
}

export interface Rules {
  readonly gcDelayMs: number;
  readonly delayMs: number;
  readonly deleteUntagged: boolean;
  readonly deleteReferrers: boolean;
}

export interface Held extends Times {
  /** An undo must bring it back while its time lasts. */
  readonly promised: boolean;
}

export interface Tag {
  readonly digest: string;
  /** By the clock on the wall, as retention counts. */
  readonly setAt: number;
}

export class RepositoryModel {
  readonly tags = new Map<string, Tag>();
  /** What is here, and since when nothing has wanted it, or touched it. */
  readonly here = new Map<string, Times>();
  /** Until when an undo pinned it. */
  readonly pins = new Map<string, Times>();
  /** What an undo may bring back, and since when its time runs. */
  readonly held = new Map<string, Held>();

  /** What tags reach. */
  wanted(): Set<string> {
    return this.#closure([...this.tags.values()].map(({ digest }) => digest));
  }

  /** What has to be there still at a moment (`lo`), or may be (`hi`), though nothing wants it. */
  alive(at: number, bound: keyof Times, rules: Rules): Set<string> {
    const since = this.#inherited(bound);
    const roots = [...this.here.keys()].filter((digest) => {
      if ((this.pins.get(digest)?.[bound] ?? 0) > at) return true;
      const { kind, subject } = itemOf(digest);
      const delayMs = kind === "blob" ? rules.gcDelayMs : rules.delayMs;
      if ((since.get(digest) ?? 0) + delayMs > at) return true;
      if (kind === "blob") return false;
      return subject === null ? !rules.deleteUntagged : !rules.deleteReferrers;
    });
    return this.#closure([...this.wanted(), ...roots]);
  }

  /** Changes what is here; what is wanted no more begins to wait. */
  change(now: number, work: () => void): void {
    const before = this.wanted();
    work();
    const after = this.wanted();
    for (const digest of before) {
      if (!after.has(digest) && this.here.has(digest)) this.here.set(digest, at(now));
    }
  }

  /** It goes, with its tags; what it named inherits its clock, or begins to wait now where somebody removed it. */
  remove(digest: string, until?: number): void {
    const own = this.here.get(digest);
    if (own === undefined) return;
    this.here.delete(digest);
    for (const [tag, { digest: pointed }] of this.tags) {
      if (pointed === digest) this.tags.delete(tag);
    }
    for (const below of this.#below(digest)) {
      const inherited = { lo: own.lo, hi: until ?? own.hi };
      this.here.set(below, latest(this.here.get(below) ?? own, inherited));
    }
  }

  /** Whether all that it names can be had: it is here, or held. */
  isWhole(digest: string): boolean {
    const item = itemOf(digest);
    const isThere = this.here.has(digest) || this.held.has(digest);
    return isThere && item.names.every((name) => this.isWhole(name));
  }

  /** Whether an undo must bring it back. */
  isPromised(digest: string, now: number, windowMs: number): boolean {
    if (this.here.has(digest)) return this.isWhole(digest);
    const held = this.held.get(digest);
    return held?.promised === true && held.lo + windowMs > now && this.isWhole(digest);
  }

  /** The latest clock of what is held and names it; null when nothing does. */
  neededSince(digest: string): Times | null {
    let needed: Times | null = null;
    for (const [parent, times] of this.held) {
      if (itemOf(parent).names.some((name) => name === digest)) {
        needed = needed === null ? times : latest(needed, times);
      }
    }
    return needed;
  }

  /** The time for an undo is over, of what is held for longer than the window. */
  endHolds(now: number, windowMs: number): void {
    for (const [digest, held] of this.held) {
      if (held.hi + windowMs <= now) this.held.delete(digest);
      else if (held.lo + windowMs <= now) this.held.set(digest, { ...held, promised: false });
    }
  }

  /** What is held keeps no promise of a time that nobody wants any more. */
  promiseNothing(): void {
    for (const [digest, held] of this.held) this.held.set(digest, { ...held, promised: false });
  }

  /** What stays as long as it does. */
  #below(digest: string): string[] {
    const { names } = itemOf(digest);
    const referrers = [...this.here.keys()].filter((one) => itemOf(one).subject === digest);
    return [...names.filter((name) => this.here.has(name)), ...referrers];
  }

  #closure(roots: readonly string[]): Set<string> {
    const reached = new Set<string>();
    const queue = roots.filter((digest) => this.here.has(digest));
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      queue.push(...this.#below(next));
    }
    return reached;
  }

  /** What names it goes first, and hands on its clock. */
  #inherited(bound: keyof Times): Map<string, number> {
    const since = new Map([...this.here].map(([digest, times]) => [digest, times[bound]]));
    for (let changed = true; changed;) {
      changed = false;
      for (const [digest, own] of since) {
        for (const below of this.#below(digest)) {
          if ((since.get(below) ?? 0) >= own) continue;
          since.set(below, own);
          changed = true;
        }
      }
    }
    return since;
  }
}

export function at(moment: number): Times {
  return { lo: moment, hi: moment };
}

export function latest(one: Times, other: Times): Times {
  return { lo: Math.max(one.lo, other.lo), hi: Math.max(one.hi, other.hi) };
}

export type { Item };
