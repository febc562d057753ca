/**
 * Work that computes for long: hashing, parsing and writing of large files. It runs in a process of its own, so that
 * no commit waits for it, and is named, so that this process finds it.
 */

export interface HeavyWork<Context, Argument, Result> {
  readonly name: string;
  /**
   * Both the argument and the result go from process to process: plain values only. The process may be killed at any
   * moment, and the work be run again from its beginning.
   */
  readonly run: (context: Context, argument: Argument, signal: AbortSignal) => Promise<Result>;
}

/** Where heavy work is run. */
export interface HeavyRunner<Context> {
  /** @throws when the work fails, is aborted, or its process ends again and again. */
  run<Argument, Result>(
    work: HeavyWork<Context, Argument, Result>,
    argument: Argument,
    signal: AbortSignal,
  ): Promise<Result>;
  /** Ends what runs. */
  close(): Promise<void>;
}

/** Runs it in this process: for a registry inside another program, and for tests. */
export function runHere<Context>(context: Context): HeavyRunner<Context> {
  return {
    run: (work, argument, signal) => work.run(context, argument, signal),
    close: () => Promise.resolve(),
  };
}
