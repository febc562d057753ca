// API keys: made, found by their hash, listed by their owner, touched, and removed by nobody else.

import { expect, test } from "bun:test";
import type { ApiKeyRecord, Metadata } from "../../src/metadata/metadata.ts";
import { openTested, type OpenEmptyStore } from "./metadata_facts.ts";

function key(id: string, changes: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    id,
    owner: "alice",
    hash: `hash of ${id}`,
    label: "laptop",
    scopes: ["team/**"],
    groups: ["dev", 'with "quotes"'],
    provenBy: "htpasswd",
    madeWith: "curl/8",
    createdAt: 1000,
    expiresAt: null,
    lastUsedAt: null,
    ...changes,
  };
}

async function put(metadata: Metadata, ...keys: ApiKeyRecord[]): Promise<void> {
  const changes = keys.map((each) => ({ kind: "put-api-key", key: each, ofOwnerMax: 3 }) as const);
  const outcome = await metadata.commit({ preconditions: [], changes, by: "alice" });
  expect(outcome).toEqual({ committed: true });
}

export function testApiKeys(open: OpenEmptyStore): void {
  test("a key is found by its hash, in every process", async () => {
    await using store = await openTested(open);
    const one = key("1", { expiresAt: 5000 });
    await put(store.metadata, one);
    expect(await store.metadata.apiKeyByHash(one.hash)).toEqual(one);
    expect(await store.store.another().apiKeyByHash(one.hash)).toEqual(one);
    expect(await store.metadata.apiKeyById("1")).toEqual(one);
    expect(await store.metadata.apiKeyById("2")).toBeNull();
    expect(await store.metadata.apiKeyByHash("another hash")).toBeNull();
    expect(await store.metadata.apiKeyByHash("%")).toBeNull();
  });

  test("an owner's keys are listed, oldest first, and nobody else's", async () => {
    await using store = await openTested(open);
    const keys = [
      key("3", { createdAt: 3000 }),
      key("1"),
      key("2", { createdAt: 2000 }),
      key("4", { owner: "alic_" }),
    ];
    await put(store.metadata, ...keys);
    const listed = async (owner: string, limit = 10) =>
      (await store.metadata.apiKeysOf(owner, limit)).map(({ id }) => id);
    expect(await listed("alice")).toEqual(["1", "2", "3"]);
    expect(await listed("alice", 2)).toEqual(["1", "2"]);
    expect(await listed("alic_")).toEqual(["4"]);
    expect(await listed("ALICE")).toEqual([]);
  });

  test("an owner has as many keys as one may have, and room again when one is removed", async () => {
    await using store = await openTested(open);
    const keys = ["1", "2", "3", "4"].map((id) => key(id));
    await put(store.metadata, ...keys);
    const ids = async () => (await store.metadata.apiKeysOf("alice", 10)).map(({ id }) => id);
    expect(await ids()).toEqual(["1", "2", "3"]);
    expect(await store.metadata.apiKeyByHash("hash of 4")).toBeNull();
    const changes = [{ kind: "remove-api-key", owner: "alice", id: "1" }] as const;
    await store.metadata.commit({ preconditions: [], changes, by: "alice" });
    await put(store.metadata, key("5"));
    expect(await ids()).toEqual(["2", "3", "5"]);
  });

  test("a key is removed by its owner alone", async () => {
    await using store = await openTested(open);
    await put(store.metadata, key("1"));
    const remove = (owner: string) =>
      store.metadata.commit({
        preconditions: [],
        changes: [{ kind: "remove-api-key", owner, id: "1" }],
        by: owner,
      });
    await remove("bob");
    expect(await store.metadata.apiKeyByHash("hash of 1")).not.toBeNull();
    await remove("alice");
    expect(await store.metadata.apiKeyByHash("hash of 1")).toBeNull();
    await remove("alice");
  });

  test("its last use is kept; that of a key that is gone is nothing", async () => {
    await using store = await openTested(open);
    await put(store.metadata, key("1"));
    const changes = ["1", "2"].map((id) => ({ kind: "touch-api-key", id, at: 7000 }) as const);
    await store.metadata.commit({ preconditions: [], changes, by: null });
    expect(await store.metadata.apiKeyByHash("hash of 1")).toMatchObject({ lastUsedAt: 7000 });
    expect(await store.metadata.apiKeyByHash("hash of 2")).toBeNull();
  });

  test("no second key takes the place of the first", async () => {
    await using store = await openTested(open);
    await put(
      store.metadata,
      key("1"),
      key("1", { owner: "bob" }),
      key("2", { hash: "hash of 1" }),
    );
    expect(await store.metadata.apiKeyByHash("hash of 1")).toEqual(key("1"));
    expect(await store.metadata.apiKeysOf("bob", 10)).toEqual([]);
  });
}
