/**
 * Leases of the servers that share a root on one machine: locked files. The kernel frees a lease when its process ends,
 * even by a crash; a lease is never lost while its process lives.
 */
import type { Lease, Leases } from "../lib/lease.ts";
import { claimLease } from "./root_lock.ts";

export class FileLeases implements Leases {
  readonly #rootDirectory: string;
  readonly #never = new AbortController().signal;

  constructor(rootDirectory: string) {
    this.#rootDirectory = rootDirectory;
  }

  take(name: string): Promise<Lease | null> {
    const claim = claimLease(this.#rootDirectory, name);
    if (claim === null) return Promise.resolve(null);
    const { fence } = claim;
    return Promise.resolve({ fence, lost: this.#never, release: async () => claim.release() });
  }
}
