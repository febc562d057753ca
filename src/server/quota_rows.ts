/** Brings the quotas of the configuration in force to the metadata, where commits look at them. */
import type { RegistryConfig } from "../config/schema.ts";
import { recordCommit } from "../metadata/records.ts";
import { usage, type Quota, type QuotaUsage } from "../metadata/usage.ts";
import type { Registry } from "../registry/registry.ts";
import { quotasOf } from "../registry/usage/quotas.ts";

export class QuotaRows {
  readonly #registry: Registry;
  #work: Promise<void> = Promise.resolve();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** After those that were set before. A change that cannot be written is told, and the quotas before stay in force. */
  set({ storage }: RegistryConfig): Promise<void> {
    const quotas = quotasOf(storage);
    this.#work = this.#work
      .then(() => this.#set(quotas))
      .catch((error: unknown) => {
        this.#registry.report("error", "quotas could not be set; those before stay in force", {
          error: String(error),
        });
      });
    return this.#work;
  }

  settled(): Promise<void> {
    return this.#work;
  }

  async #set(quotas: readonly Quota[]): Promise<void> {
    const { metadata } = this.#registry;
    const before = (await metadata.records(usage).quotas()).map(plain);
    if (Bun.deepEquals(before, quotas)) return;
    await metadata.commit(recordCommit(usage, { kind: "set-quotas", quotas }));
  }
}

/** What is configured of it. */
function plain({ name, scope, limits, count, warnAt, isMaxRepos }: QuotaUsage): Quota {
  return { name, scope, limits, count, warnAt, isMaxRepos };
}
