// Handles SIGINT and SIGTERM while a command runs. The first signal asks the command to end; a second one ends it at
// once.

/**
 * How long signals after the first one are taken for the same: Ctrl+C in a terminal goes to everything that was started
 * there, and `npm start` passes its own on.
 */
const sameSignalMs = 2_000;

/**
 * Calls `stop` for the first signal; one that comes later than two seconds after that ends the process at once. Returns
 * what leaves the signals to their default again.
 */
export function onStopSignal(stop: (signal: string) => void): () => void {
  let stoppingSinceMs: number | null = null;
  const handle = (signal: string): void => {
    if (stoppingSinceMs === null) {
      stoppingSinceMs = performance.now();
      stop(signal);
    } else if (performance.now() - stoppingSinceMs >= sameSignalMs) {
      process.kill(process.pid, "SIGKILL");
    }
  };
  process.on("SIGINT", handle).on("SIGTERM", handle);
  return () => void process.off("SIGINT", handle).off("SIGTERM", handle);
}
