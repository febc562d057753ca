/** Metadata that are opened when they are first needed, and closed with the stores whose objects they tell of. */
import type { Metadata } from "../metadata/metadata.ts";
import type { Stores } from "../storage/stores.ts";

export interface OnDemand {
  readonly get: () => Metadata;
  /** The stores, whose end closes what was opened. */
  readonly closedWith: (stores: Stores) => Stores;
}

export function onDemand(open: () => Metadata): OnDemand {
  let metadata: Metadata | null = null;
  return {
    get: () => (metadata ??= open()),
    closedWith: (stores) => ({
      ...stores,
      close: async () => {
        await stores.close();
        await metadata?.close();
      },
    }),
  };
}
