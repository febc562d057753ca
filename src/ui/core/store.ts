/** A value that components share, and are drawn again with when it changes. */
import { useEffect, useState } from "preact/hooks";

export class Store<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each change, until what is returned is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The value now; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const redraw = (): void => setTurn((turn) => turn + 1);
    // It may have changed between the first drawing and now.
    redraw();
    return store.watch(redraw);
  }, [store]);
  return store.value;
}
