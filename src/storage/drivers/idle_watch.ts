/** Notices a sender that went silent. Slow is not silent: whoever sends a byte in time may take as long as it likes. */
import type { Clock } from "../../lib/clock.ts";
import type { AppendOptions } from "../driver.ts";

/** How often a transfer is looked at for progress, within the idle limit. */
const looks = 4;

/**
 * Calls `onIdle` once no byte came for `idleMs`. `arrived` tells how many came so far; null when there is nothing left
 * to watch.
 */
export async function watchIdle(
  clock: Clock,
  { idleMs, onIdle }: Pick<AppendOptions, "idleMs" | "onIdle">,
  arrived: () => Promise<number | null>,
  signal: AbortSignal,
): Promise<void> {
  let seen = -1;
  let since = clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(idleMs / looks, signal);
    if (signal.aborted) return;
    const bytes = await arrived();
    if (bytes === null) return;
    if (bytes !== seen) {
      seen = bytes;
      since = clock.monotonicMs();
    } else if (clock.monotonicMs() - since >= idleMs) {
      onIdle();
      return;
    }
  }
}
