// What retention keeps: pulls, labels and looks; and the facts of tags that it reads with them.

import { expect, test } from "bun:test";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { recordCommit } from "../../src/metadata/records.ts";
import { retention, type RetentionChange } from "../../src/metadata/retention.ts";
import {
  change,
  digest,
  openTested,
  otherRepository,
  repository,
  type OpenEmptyStore,
} from "./metadata_facts.ts";

async function keep(metadata: Metadata, ...changes: RetentionChange[]): Promise<void> {
  expect(await metadata.commit(recordCommit(retention, ...changes))).toEqual({ committed: true });
}

function pull(name: string, at: number, more: { count?: number; looks?: boolean } = {}) {
  const { count = 1, looks = false } = more;
  const pulls = [{ repository, digest: digest(name), at, count, looks }];
  return { kind: "add-pulls", pulls } as const;
}

export function testRetention(open: OpenEmptyStore): void {
  test("a tag has the time of its last move, and the pulls and label of its manifest", async () => {
    await using store = await openTested(open);
    const { metadata, clock } = store;
    await store.did(change.put("a"), change.put("b"), change.tag("v1", "a"), change.tag("v2", "a"));
    const pushedAt = clock.now();
    await keep(metadata, pull("a", 5000, { count: 2 }), pull("a", 4000, { count: 3 }));
    const label = { repository, digest: digest("b"), expiresAfterMs: 77 };
    await keep(metadata, { kind: "set-expiry", ...label });
    await clock.advance(1000);
    await store.did(change.tag("v2", "b"));
    const tags = [
      { ...none, tag: "v1", digest: digest("a"), pushedAt, pulledAt: 5000 },
      { ...none, tag: "v2", digest: digest("b"), pushedAt: pushedAt + 1000, expiresAfterMs: 77 },
    ];
    const reads = store.store.another().records(retention);
    expect(await reads.tags(repository, "", 10)).toEqual(tags);
    expect(await reads.tags(repository, "v1", 10)).toEqual(tags.slice(1));
    expect(await reads.tags(repository, "", 1)).toEqual(tags.slice(0, 1));
    expect(await reads.tag(repository, "v2")).toEqual(tags[1]!);
    expect(await reads.tag(repository, "v3")).toBeNull();
    expect(await reads.tags(otherRepository, "", 10)).toEqual([]);
    expect(await reads.pulls(repository, [digest("a"), digest("b")])).toEqual([
      { digest: digest("a"), at: 5000, count: 5 },
    ]);
    await keep(metadata, { kind: "set-expiry", ...label, expiresAfterMs: null });
    expect((await reads.tag(repository, "v2"))?.expiresAfterMs).toBeNull();
  });

  test("a tag that is pushed again as it is was pushed now, and history tells nothing", async () => {
    await using store = await openTested(open);
    const { metadata, clock } = store;
    await store.did(change.put("a"), change.tag("v1", "a"));
    await clock.advance(3_600_000);
    await store.did(change.put("a"), change.tag("v1", "a"));
    const found = await metadata.records(retention).tag(repository, "v1");
    expect(found?.pushedAt).toBe(clock.now());
    expect(await metadata.history(repository, "v1", 10)).toHaveLength(1);
  });

  test("pulls of what is not there are not kept", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    await store.did(change.put("a"));
    await keep(metadata, pull("gone", 1, { looks: true }));
    expect(await metadata.records(retention).pulls(repository, [digest("gone")])).toEqual([]);
  });

  test("a tag that points at a manifest which an undo pinned tells until when", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    await store.did(change.put("a"), change.put("b"), change.tag("v1", "a"));
    const pin = { kind: "pin", digest: digest("a"), until: 7000 } as const;
    await metadata.commit({ repository, preconditions: [], changes: [pin], by: null });
    const pinned = async () =>
      (await metadata.records(retention).tag(repository, "v1"))?.pinnedUntil;
    expect(await pinned()).toBe(7000);
    await store.did(change.tag("v1", "b"));
    expect(await pinned()).toBeNull();
  });

  test("repositories that changed are due, and those whose time has come", async () => {
    await using store = await openTested(open);
    const { metadata, clock } = store;
    await store.did(change.create(), change.create(otherRepository));
    const due = (until: number, limit: number) => metadata.records(retention).due(until, limit);
    const start = clock.now();
    expect(await due(start, 10)).toEqual([]);
    await keep(metadata, { kind: "look-soon", repositories: [repository, "not/there"] });
    expect(await due(start, 10)).toEqual([repository]);
    await keep(
      metadata,
      { kind: "looked", repository, asOf: start, lookAt: start + 100 },
      { kind: "looked", repository: otherRepository, asOf: start, lookAt: start + 50 },
    );
    expect(await due(start + 49, 10)).toEqual([]);
    expect(await due(start + 100, 10)).toEqual([otherRepository, repository]);
    expect(await due(start + 100, 1)).toEqual([otherRepository]);
    await keep(metadata, { kind: "looked", repository, asOf: start + 100, lookAt: null });
    expect(await due(start + 1000, 10)).toEqual([otherRepository]);
  });

  test("what changed while a repository was looked at makes it due again", async () => {
    await using store = await openTested(open);
    const { metadata, clock } = store;
    await store.did(change.put("a"));
    const asOf = clock.now();
    await clock.advance(10);
    await keep(metadata, pull("a", 1, { looks: true }));
    await keep(metadata, { kind: "looked", repository, asOf, lookAt: null });
    expect(await metadata.records(retention).due(clock.now(), 10)).toEqual([repository]);
  });

  test("what is kept of a manifest goes with it, unless it is there again", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    await store.did(change.put("a"), change.put("b"), change.tag("v1", "a"));
    await keep(metadata, pull("a", 1), pull("b", 2));
    await store.did(change.remove("b"));
    const manifests = ["a", "b"].map((name) => ({ repository, digest: digest(name) }));
    await keep(metadata, { kind: "forget", manifests });
    const both = [digest("a"), digest("b")];
    expect(await metadata.records(retention).pulls(repository, both)).toEqual([
      { digest: digest("a"), at: 1, count: 1 },
    ]);
  });

  test("subjects are here, or went at a time, or were never here", async () => {
    await using store = await openTested(open);
    const { metadata, clock } = store;
    await store.did(change.put("here"), change.put("gone"));
    await clock.advance(10);
    await store.did(change.remove("gone"));
    const asked = ["here", "gone", "never"].map((name) => digest(name));
    const found = await metadata.records(retention).subjects(repository, asked);
    expect(found).toEqual([
      { digest: digest("here"), isHere: true, goneAt: null },
      { digest: digest("gone"), isHere: false, goneAt: clock.now() },
      { digest: digest("never"), isHere: false, goneAt: null },
    ]);
  });

  test("the rules that repositories were last marked by", async () => {
    await using store = await openTested(open);
    const { metadata } = store;
    const value = () => metadata.records(retention).value("rules");
    expect(await value()).toBeNull();
    await keep(metadata, { kind: "set-value", name: "rules", value: "a" });
    await keep(metadata, { kind: "set-value", name: "rules", value: "b" });
    expect(await value()).toBe("b");
  });
}

const none = { pulledAt: null, expiresAfterMs: null, pinnedUntil: null };
