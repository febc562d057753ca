// Replicas of one registry as a person would start them: processes with directories of their own, one database, one
// bucket, and a balancer in front that gives each request to the next one.

import { startZot, type Zot } from "./harness.ts";
import { driverOf } from "./objects/object_registry.ts";
import { FakeS3 } from "./objects/fake_s3.ts";
import type { PostgresPlace } from "./postgres.ts";
import { startRoundRobin, type RoundRobin } from "./round_robin.ts";

export interface ReplicasOptions {
  /** Empty at first, or that of replicas that were started before. */
  readonly metadata: PostgresPlace;
  /** `storage.storageDriver`; a fake store of its own without it. */
  readonly storageDriver?: object;
  /** How many; 2 without it. */
  readonly count?: number;
  /** Merged over the rest of the configuration. */
  readonly config?: { readonly storage?: object; readonly http?: object };
}

export interface Replicas extends AsyncDisposable {
  readonly zots: readonly Zot[];
  readonly balancer: RoundRobin;
  /** The store, where it is a fake one. */
  readonly fake: FakeS3 | null;
}

export async function startReplicas(options: ReplicasOptions): Promise<Replicas> {
  const { metadata, storageDriver, count = 2, config = {} } = options;
  const fake = storageDriver === undefined ? await FakeS3.start() : null;
  const driver = fake === null ? storageDriver : driverOf(fake);
  const storage = { storageDriver: driver, metadata, commit: false, ...config.storage };
  const http = { workers: 1, ...config.http };
  const zots: Zot[] = [];
  const end = async (): Promise<void> => {
    for (const zot of zots) await zot[Symbol.asyncDispose]();
    await fake?.[Symbol.asyncDispose]();
  };
  try {
    for (let at = 0; at < count; at += 1) {
      zots.push(await startZot({ config: { ...config, storage, http } }));
    }
    const balancer = await startRoundRobin(zots.map(({ url }) => url));
    return {
      zots,
      balancer,
      fake,
      [Symbol.asyncDispose]: async () => {
        await balancer[Symbol.asyncDispose]();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
