/**
 * Why requests should go elsewhere for now, as the parts of a server find it: the first reason counts.
 */

type Listener = (problem: string | null) => void;

export class HealthWatch {
  readonly #problems = new Map<string, string>();
  readonly #listeners: Listener[] = [];

  /** A part finds this, or nothing any more. */
  tell(part: string, problem: string | null): void {
    const before = this.problem;
    if (problem === null) this.#problems.delete(part);
    else this.#problems.set(part, problem);
    if (this.problem === before) return;
    for (const listener of this.#listeners) listener(this.problem);
  }

  get problem(): string | null {
    const [first = null] = this.#problems.values();
    return first;
  }

  /** Calls the listener now and whenever it changes. */
  watch(listener: Listener): void {
    this.#listeners.push(listener);
    listener(this.problem);
  }
}
