/**
 * Leases: which of several servers does a piece of work. At most one holds a lease at a time.
 *
 * A lease may be lost while it is held, where a store grants it for a time only; the work under it then ends.
 */

export interface Lease {
  /** Greater than that of every holder before: who writes by an older one has lost the lease without noticing. */
  readonly fence: number;
  /** Aborts when the lease is somebody else's, or may be. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

export interface Leases {
  /** Null while another server holds it. */
  take(name: string): Promise<Lease | null>;
}
