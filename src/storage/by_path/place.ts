/** Which store a repository lies in: that of the first component of its name, or the main one. */
import { must } from "../../lib/assert.ts";
import { componentOf } from "../store_component.ts";
import type { Stores } from "../stores.ts";

/** A store that has the repositories below a first component of names; the main one has all others. */
export interface Place<S extends Stores = Stores> {
  /** The component; null for the main store. */
  readonly component: string | null;
  readonly stores: S;
  /** Equal for places that fill up together. */
  readonly disk: string;
  /**
   * Told what is wrong with it, or that nothing is any more (null), where the others are served meanwhile; without it the
   * registry is not ready while this place takes no writes.
   */
  readonly onOutage?: (problem: unknown) => void;
}

/** Finds the place of a repository. */
export class Places<S extends Stores = Stores> {
  readonly all: readonly Place<S>[];
  readonly #main: Place<S>;
  readonly #byComponent: ReadonlyMap<string, Place<S>>;

  /** One of them is the main one. */
  constructor(all: readonly Place<S>[]) {
    const main = all.find(({ component }) => component === null);
    this.#main = must(main, "one of several stores is the main one");
    // It comes first wherever places are asked in turn.
    this.all = [this.#main, ...all.filter((place) => place !== this.#main)];
    this.#byComponent = new Map(
      all.flatMap((place): [string, Place<S>][] =>
        place.component === null ? [] : [[place.component, place]],
      ),
    );
  }

  /** Null is the main one. */
  of(repository: string | null): Place<S> {
    const component = repository === null ? null : componentOf(repository);
    return (component === null ? undefined : this.#byComponent.get(component)) ?? this.#main;
  }
}
