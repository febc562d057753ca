// API keys: made, found by their hash, listed by their owner, touched, and removed by their owner only.

import { expect, test } from "bun:test";
import { apiKeys, type ApiKeyRecord, type FileUserChange } from "../../src/metadata/api_keys.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { recordCommit } from "../../src/metadata/records.ts";
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
    incarnation: null,
    madeWith: "curl/8",
    createdAt: 1000,
    expiresAt: null,
    lastUsedAt: null,
    ...changes,
  };
}

async function put(metadata: Metadata, ...keys: ApiKeyRecord[]): Promise<void> {
  const changes = keys.map((each) => ({ kind: "put-api-key", key: each, ofOwnerMax: 3 }) as const);
  const outcome = await metadata.commit(recordCommit(apiKeys, ...changes));
  expect(outcome).toEqual({ committed: true });
}

export function testApiKeys(open: OpenEmptyStore): void {
  test("a key is found by its hash, in every process", async () => {
    await using store = await openTested(open);
    const one = key("1", { expiresAt: 5000 });
    await put(store.metadata, one);
    expect(await store.metadata.records(apiKeys).byHash(one.hash)).toEqual(one);
    expect(await store.store.another().records(apiKeys).byHash(one.hash)).toEqual(one);
    expect(await store.metadata.records(apiKeys).byId("1")).toEqual(one);
    expect(await store.metadata.records(apiKeys).byId("2")).toBeNull();
    expect(await store.metadata.records(apiKeys).byHash("another hash")).toBeNull();
    expect(await store.metadata.records(apiKeys).byHash("%")).toBeNull();
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
      (await store.metadata.records(apiKeys).ofOwner(owner, limit)).map(({ id }) => id);
    expect(await listed("alice")).toEqual(["1", "2", "3"]);
    expect(await listed("alice", 2)).toEqual(["1", "2"]);
    expect(await listed("alic_")).toEqual(["4"]);
    expect(await listed("ALICE")).toEqual([]);
  });

  test("an owner has as many keys as one may have, and room again when one is removed", async () => {
    await using store = await openTested(open);
    const keys = ["1", "2", "3", "4"].map((id) => key(id));
    await put(store.metadata, ...keys);
    const ids = async () =>
      (await store.metadata.records(apiKeys).ofOwner("alice", 10)).map(({ id }) => id);
    expect(await ids()).toEqual(["1", "2", "3"]);
    expect(await store.metadata.records(apiKeys).byHash("hash of 4")).toBeNull();
    const changes = [{ kind: "remove-api-key", owner: "alice", id: "1" }] as const;
    await store.metadata.commit(recordCommit(apiKeys, ...changes));
    await put(store.metadata, key("5"));
    expect(await ids()).toEqual(["2", "3", "5"]);
  });

  test("a key is removed by its owner alone", async () => {
    await using store = await openTested(open);
    await put(store.metadata, key("1"));
    const remove = (owner: string) =>
      store.metadata.commit(recordCommit(apiKeys, { kind: "remove-api-key", owner, id: "1" }));
    await remove("bob");
    expect(await store.metadata.records(apiKeys).byHash("hash of 1")).not.toBeNull();
    await remove("alice");
    expect(await store.metadata.records(apiKeys).byHash("hash of 1")).toBeNull();
    await remove("alice");
  });

  test("keys of others who had the name are ended, and those of no incarnation stay", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    const ldap = { provenBy: "ldap" };
    const keys = [
      key("1", { ...ldap, incarnation: "old" }),
      key("2", { ...ldap, incarnation: "new" }),
      key("3", ldap),
      key("4", { ...ldap, owner: "bob", incarnation: "old" }),
    ];
    await put(metadata, ...keys);
    await put(metadata, key("5", { owner: "carl", provenBy: "workload", incarnation: "old" }));
    const end = async (owner: string) => {
      const change = { kind: "end-api-keys", owner, provenBy: "ldap", incarnation: "new" } as const;
      await metadata.commit(recordCommit(apiKeys, change));
    };
    for (const owner of ["alice", "carl"]) await end(owner);
    const ids = async (owner: string) =>
      (await metadata.records(apiKeys).ofOwner(owner, 9)).map(({ id }) => id);
    expect([await ids("alice"), await ids("bob"), await ids("carl")]).toEqual([
      ["2", "3"],
      ["4"],
      ["5"],
    ]);
  });

  test("a name of the file has one incarnation until it leaves, and its keys go with it", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    const change = async (...changes: FileUserChange[]) =>
      void (await metadata.commit(recordCommit(apiKeys, ...changes)));
    const putUser = (name: string, incarnation: string): FileUserChange => ({
      kind: "put-file-user",
      name,
      incarnation,
    });
    const keep = (...names: string[]): FileUserChange => ({ kind: "keep-file-users", names });
    expect(await metadata.records(apiKeys).fileUser("alice")).toBeNull();
    await put(metadata, key("1"), key("2", { provenBy: "ldap" }), key("3", { owner: "bob" }));
    await change(putUser("alice", "a1"), putUser("alice", "a2"), putUser("Alice", "A1"));
    expect(await metadata.records(apiKeys).fileUser("alice")).toBe("a1");
    expect(await metadata.records(apiKeys).byId("1")).toMatchObject({ incarnation: "a1" });
    expect(await metadata.records(apiKeys).byId("2")).toMatchObject({ incarnation: null });
    await change(keep("alice", "bob"));
    expect(await metadata.records(apiKeys).fileUser("alice")).toBe("a1");
    expect(await metadata.records(apiKeys).fileUser("Alice")).toBeNull();
    expect(await metadata.records(apiKeys).byId("3")).not.toBeNull();
    await change(keep("bob"));
    expect(await metadata.records(apiKeys).fileUser("alice")).toBeNull();
    expect(await metadata.records(apiKeys).byId("1")).toBeNull();
    expect(await metadata.records(apiKeys).byId("2")).not.toBeNull();
    await change(putUser("alice", "a3"));
    expect(await metadata.records(apiKeys).fileUser("alice")).toBe("a3");
    await change(keep());
    expect(await metadata.records(apiKeys).byId("3")).toBeNull();
  });

  test("its last use is kept; that of a key that is gone is nothing", async () => {
    await using store = await openTested(open);
    await put(store.metadata, key("1"));
    const changes = ["1", "2"].map((id) => ({ kind: "touch-api-key", id, at: 7000 }) as const);
    await store.metadata.commit(recordCommit(apiKeys, ...changes));
    expect(await store.metadata.records(apiKeys).byHash("hash of 1")).toMatchObject({
      lastUsedAt: 7000,
    });
    expect(await store.metadata.records(apiKeys).byHash("hash of 2")).toBeNull();
  });

  test("no second key takes the place of the first", async () => {
    await using store = await openTested(open);
    await put(
      store.metadata,
      key("1"),
      key("1", { owner: "bob" }),
      key("2", { hash: "hash of 1" }),
    );
    expect(await store.metadata.records(apiKeys).byHash("hash of 1")).toEqual(key("1"));
    expect(await store.metadata.records(apiKeys).ofOwner("bob", 10)).toEqual([]);
  });
}
