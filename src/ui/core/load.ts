/**
 * What a page loads: the value, or why there is none, kept for the way back.
 *
 * A value that was loaded before is shown at once while it is loaded again, so that pages do not jump and the browser
 * finds its place. When something happened in the registry, what is shown is loaded again.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./http.ts";
import { changes } from "./live.ts";

/** Values that are kept. */
const keptMax = 60;
const kept = new Map<string, unknown>();

export interface Loaded<T> {
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly key: string;
  readonly value: T | null;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
}

/** Everything that was loaded is of somebody who is not there any more. */
export function forget(): void {
  kept.clear();
  changes.set(changes.value + 1);
}

/**
 * Loads by `key`, which names all that `load` depends on; null loads nothing.
 * @param isLive loads again when something happened in the registry.
 */
export function useLoad<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  isLive = true,
): Loaded<T> {
  const newest = useRef(load);
  newest.current = load;
  const [state, setState] = useState<State<T>>(() => begun(key));
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => (isLive ? changes.watch(reload) : undefined), [isLive, reload]);
  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    setState((before) => (before.key === key ? { ...before, isLoading: true } : begun(key)));
    newest.current(abort.signal).then(
      (value) => {
        if (abort.signal.aborted) return;
        keep(key, value);
        setState({ key, value, problem: null, isLoading: false });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const problem = error instanceof Problem ? error : new Problem(0, String(error));
        setState((before) => ({ key, value: before.value, problem, isLoading: false }));
      },
    );
    return () => abort.abort();
  }, [key, turn]);
  const shown = key === null || state.key === key ? state : begun<T>(key);
  return { ...shown, reload };
}

function begun<T>(key: string | null): State<T> {
  const value = key === null ? null : ((kept.get(key) as T | undefined) ?? null);
  return { key: key ?? "", value, problem: null, isLoading: key !== null };
}

function keep(key: string, value: unknown): void {
  kept.delete(key);
  kept.set(key, value);
  const [oldest] = kept.keys();
  if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
}
