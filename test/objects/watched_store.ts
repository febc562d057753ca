// A store of objects that counts the requests to it, and fails those that a test names.

import type { ObjectStore } from "../../src/storage/objects/object_store.ts";

type Operation = Exclude<
  {
    [K in keyof ObjectStore]: ObjectStore[K] extends (...given: never[]) => unknown ? K : never;
  }[keyof ObjectStore],
  "close" | "probe" | "sign"
>;

const operations = [
  "put",
  "get",
  "size",
  "remove",
  "startParts",
  "putPart",
  "completeParts",
  "abortParts",
  "list",
  "unfinished",
] as const satisfies readonly Operation[];

export interface WatchedStore extends ObjectStore {
  /** Requests since the last look, by operation; those that there were none of are left out. */
  readonly counted: () => Record<string, number>;
  /** Called before, and after, each request with its number from 1 on; what it throws is the answer. */
  onRequest: (operation: Operation, number: number, when: "before" | "after") => void;
}

export function watchedStore(store: ObjectStore): WatchedStore {
  const counts = new Map<string, number>();
  let total = 0;
  const watched: WatchedStore = Object.create(store);
  for (const name of operations) {
    const call = store[name].bind(store) as (...given: unknown[]) => Promise<unknown>;
    const watching = async (...given: unknown[]): Promise<unknown> => {
      total += 1;
      const number = total;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      watched.onRequest(name, number, "before");
      const answer = await call(...given);
      watched.onRequest(name, number, "after");
      return answer;
    };
    Object.assign(watched, { [name]: watching });
  }
  for (const name of ["sign", "probe", "close"] as const) {
    Object.assign(watched, { [name]: store[name].bind(store) });
  }
  return Object.assign(watched, {
    limits: store.limits,
    onRequest: () => undefined,
    counted: () => {
      const found = Object.fromEntries(counts);
      counts.clear();
      return found;
    },
  });
}
