/**
 * Another attempt after trouble that passes: a few, after growing pauses, or after the time that a place asks for.
 *
 * Attempts count while nothing moves; a transfer that comes forward has as many as it needs.
 */
import type { Clock } from "../lib/clock.ts";
import { ClientError, type ClientErrorKind } from "../client/client_error.ts";
import { TransferError } from "./image_place.ts";

export interface Retries {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Attempts without progress. */
  readonly attemptsMax: number;
  /** Before the second attempt; doubled for each further one. */
  readonly pauseMs: number;
}

export const attemptsMaxDefault = 5;
export const pauseMsDefault = 500;
/** No pause is longer, whatever a place asks for. */
export const pauseMsMax = 60_000;

const passingKinds: ReadonlySet<ClientErrorKind> = new Set<ClientErrorKind>([
  "refused",
  "unreachable",
  "connectTimeout",
  "answerTimeout",
  "closed",
]);

/** Whether another attempt may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TransferError) return error.isPassing;
  return error instanceof ClientError && passingKinds.has(error.kind);
}

/** Runs the work again after trouble that passes. */
export async function withRetries<T>(retries: Retries, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= retries.attemptsMax || !isPassing(error)) throw error;
      await pause(retries, attempt, error);
    }
  }
}

/** Waits before the next attempt. @throws the signal's reason when it aborts. */
export async function pause(retries: Retries, attempt: number, error: unknown): Promise<void> {
  const asked = error instanceof TransferError ? error.retryAfterMs : null;
  const growing = retries.pauseMs * 2 ** (attempt - 1);
  await retries.clock.sleep(Math.min(asked ?? growing, pauseMsMax), retries.signal);
  retries.signal.throwIfAborted();
}
