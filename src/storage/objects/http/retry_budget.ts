/**
 * Limits how much work failures add: a request is tried again only while retries are few among all requests, so that a
 * store in trouble is not asked four times as much.
 */

/** One retry for so many requests, */
const requestsPerRetry = 10;
/** and so many at once after quiet times. */
export const savedRetriesMax = 20;

export class RetryBudget {
  #retries = savedRetriesMax;

  /** A request was begun. */
  earn(): void {
    this.#retries = Math.min(savedRetriesMax, this.#retries + 1 / requestsPerRetry);
  }

  /** Whether one may be tried again. */
  spend(): boolean {
    if (this.#retries < 1) return false;
    this.#retries -= 1;
    return true;
  }
}
