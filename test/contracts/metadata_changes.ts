// Every change: what it does, that doing it again does nothing, and the history that it leaves.
//
// Pushes are repeated by clients, so a change that meets its result already there must succeed and leave no
// history, no newer layout and no orphan behind.

import { collection } from "../../src/metadata/collection.ts";
import { describe, expect, test } from "bun:test";
import type { Change, HistoryRecord, Metadata } from "../../src/metadata/metadata.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import {
  blobSize,
  type OpenEmptyStore,
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  project,
  repository,
  startMs,
  whole,
} from "./metadata_facts.ts";

interface Row {
  readonly given: readonly Change[];
  readonly does: Change;
  /** A question to the store, and its answer before and after the change. */
  readonly asks: (metadata: Metadata) => Promise<unknown>;
  readonly before: unknown;
  readonly after: unknown;
}

const all = { after: null, limit: 100 };
const tagged = [change.put("m"), change.put("n"), change.tag("v1", "m"), change.tag("v2", "m")];
const recordOf = (name: string) => {
  const { digest, mediaType, sizeBytes } = manifest(name);
  return { digest, mediaType, sizeBytes };
};

const rows: Readonly<Record<string, Row>> = {
  "create-repository": {
    given: [],
    does: change.create(),
    asks: (metadata) => metadata.repositoryExists(repository),
    before: false,
    after: true,
  },
  "link-blob": {
    given: [],
    does: change.link("abc"),
    asks: (metadata) => blobSize(metadata, repository, digest("abc")),
    before: null,
    after: 3,
  },
  "unlink-blob": {
    given: [change.link("abc"), change.link("abc", otherRepository)],
    does: change.unlink("abc"),
    asks: async (metadata) => [
      await blobSize(metadata, repository, digest("abc")),
      await blobSize(metadata, otherRepository, digest("abc")),
    ],
    before: [3, 3],
    after: [null, 3],
  },
  "put-manifest": {
    given: [change.put("m", otherRepository)],
    does: change.put("m"),
    asks: (metadata) => metadata.manifestByDigest(repository, digest("m")),
    before: null,
    after: recordOf("m"),
  },
  "remove-manifest": {
    given: [...tagged, change.tag("v3", "n"), change.put("m", otherRepository)],
    does: change.remove("m"),
    asks: async (metadata) => [
      await metadata.manifestByDigest(repository, digest("m")),
      await metadata.manifestByDigest(otherRepository, digest("m")),
      await metadata.tags(repository, all),
    ],
    before: [recordOf("m"), recordOf("m"), ["v1", "v2", "v3"]],
    after: [null, recordOf("m"), ["v3"]],
  },
  "set-tag, a new one": {
    given: [...tagged, change.put("m", otherRepository), change.tag("new", "m", otherRepository)],
    does: change.tag("new", "n"),
    asks: async (metadata) => [
      await metadata.manifestByTag(repository, "new"),
      await metadata.manifestByTag(otherRepository, "new"),
    ],
    before: [null, recordOf("m")],
    after: [recordOf("n"), recordOf("m")],
  },
  "set-tag, moving one": {
    given: tagged,
    does: change.tag("v1", "n"),
    asks: async (metadata) => [
      await metadata.manifestByTag(repository, "v1"),
      await metadata.manifestByDigest(repository, digest("m")),
    ],
    before: [recordOf("m"), recordOf("m")],
    after: [recordOf("n"), recordOf("m")],
  },
  "remove-tag": {
    given: tagged,
    does: change.untag("v1"),
    asks: async (metadata) => [
      await metadata.tags(repository, all),
      await metadata.manifestByDigest(repository, digest("m")),
    ],
    before: [["v1", "v2"], recordOf("m")],
    after: [["v2"], recordOf("m")],
  },
};

/** Changes that take away what is not there. */
const absentRows: readonly Change[] = [
  change.unlink("nothing"),
  change.remove("nothing"),
  change.untag("nothing"),
  change.sweep("nothing"),
  change.release("nothing", "no/such"),
];

export function testChanges(open: OpenEmptyStore): void {
  for (const [name, row] of Object.entries(rows)) {
    test(name, async () => {
      await using tested = await openTested(open);
      if (row.given.length > 0) await tested.did(...row.given);
      expect(await row.asks(tested.metadata)).toEqual(row.before);
      await tested.did(row.does);
      expect(await row.asks(tested.metadata)).toEqual(row.after);
    });

    test(`${name}: again is the same`, async () => {
      await using tested = await openTested(open);
      await tested.did(...row.given, row.does);
      await project(tested);
      const before = await whole(tested.metadata);
      await tested.clock.advance(1000);
      await tested.did(row.does);
      await tested.did(row.does, row.does);
      expect(await whole(tested.metadata)).toEqual(before);
      expect(await row.asks(tested.metadata)).toEqual(row.after);
    });
  }

  for (const absent of absentRows) {
    test(`${absent.kind} of what is not there succeeds and leaves no trace`, async () => {
      await using tested = await openTested(open);
      await tested.did(...tagged, change.link("layer"));
      await project(tested);
      const before = await whole(tested.metadata);
      tested.absent.add(`no/such ${digest("nothing")}`);
      await tested.did(absent);
      expect(await whole(tested.metadata)).toEqual(before);
    });
  }

  test("release-bytes of a repository that is not there, where its bytes are: they are swept, and it is empty", async () => {
    await using tested = await openTested(open);
    await tested.did(change.release("x", "no/such"));
    const orphan = { repository: "no/such", digest: digest("x") };
    expect(await tested.metadata.orphans(9)).toEqual([orphan]);
    await tested.did(change.sweep("x", "no/such"));
    expect(tested.removed).toEqual([`no/such ${digest("x")}`]);
    const reads = tested.metadata.records(collection);
    expect(await reads.holds("no/such")).toBe("nothing");
    const [candidate] = await reads.due("repository", Number.MAX_SAFE_INTEGER, null, 9);
    expect(candidate).toMatchObject({ repository: "no/such", reason: "empty" });
  });

  test("the same bytes under another media type: the latest push counts, and the layout follows", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"));
    await project(tested);
    const docker = { mediaType: mediaTypes.dockerImage };
    await tested.did(change.put(manifest("m", docker)));
    expect(await tested.metadata.manifestByDigest(repository, digest("m"))).toMatchObject(docker);
    expect(await tested.layouts.stale(10)).toEqual([repository]);
  });

  test("names that are special elsewhere are plain tags and repositories", async () => {
    await using tested = await openTested(open);
    const tags = ["__proto__", "constructor", "0", "-1".replace("-", "_"), "NULL", "a".repeat(128)];
    await tested.did(change.put("m"), ...tags.map((tag) => change.tag(tag, "m")));
    expect(await tested.metadata.tags(repository, all)).toEqual(tags.toSorted());
    for (const tag of tags) {
      expect((await tested.metadata.manifestByTag(repository, tag))?.digest).toBe(digest("m"));
    }
  });

  describe("history", () => testHistory(open));
}

function testHistory(open: OpenEmptyStore): void {
  const moves = (records: readonly HistoryRecord[]) =>
    records.map(({ tag, digest, previous }) => [tag, digest, previous]);

  test("every move, removal and delete is kept, newest first, with who and when", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.tag("v1", "m"), change.tag("v2", "m"));
    await tested.clock.advance(1000);
    await tested.metadata.commit({
      repository,
      preconditions: [],
      changes: [change.put("n"), change.tag("v1", "n")],
      by: null,
    });
    await tested.clock.advance(1000);
    await tested.did(change.untag("v1"));
    await tested.did(change.remove("m"));
    const history = await tested.metadata.history(repository, null, 100);
    expect(
      history.map(({ tag, digest, previous, at, by }) => [tag, digest, previous, at, by]),
    ).toEqual([
      [null, null, digest("m"), startMs + 2000, "alice"],
      ["v2", null, digest("m"), startMs + 2000, "alice"],
      ["v1", null, digest("n"), startMs + 2000, "alice"],
      ["v1", digest("n"), digest("m"), startMs + 1000, null],
      ["v2", digest("m"), null, startMs, "alice"],
      ["v1", digest("m"), null, startMs, "alice"],
    ]);
    const sequences = history.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted((a, b) => b - a));
    expect(new Set(sequences).size).toBe(history.length);
    expect(history.every((record) => record.repository === repository)).toBe(true);
  });

  test("a move tells what an undo needs: what was pointed at before and after, and since when", async () => {
    await using tested = await openTested(open);
    const docker = { mediaType: mediaTypes.dockerImage, sizeBytes: 77 };
    await tested.did(change.put(manifest("m", docker)), change.tag("v1", "m"));
    await tested.clock.advance(1000);
    await tested.did(change.put("n"), change.tag("v1", "n"));
    await tested.clock.advance(1000);
    await tested.did(change.remove("n"), change.tag("v2", "never pushed"));
    const history = await tested.metadata.history(repository, null, 100);
    const m = [docker.mediaType, docker.sizeBytes];
    const n = [mediaTypes.ociImage, 1];
    const nothing = [null, null];
    expect(
      history.map((it) => [
        it.tag,
        it.mediaType,
        it.sizeBytes,
        it.previousMediaType,
        it.previousSizeBytes,
        it.previousAt,
      ]),
    ).toEqual([
      ["v2", ...nothing, ...nothing, null],
      [null, ...nothing, ...n, startMs + 1000],
      ["v1", ...nothing, ...n, startMs + 1000],
      ["v1", ...n, ...m, startMs],
      ["v1", ...m, ...nothing, null],
    ]);
  });

  test("of one tag, of one repository, at most so many", async () => {
    await using tested = await openTested(open);
    await tested.did(
      change.put("m"),
      change.put("n"),
      change.tag("v1", "m"),
      change.tag("v2", "m"),
    );
    await tested.did(change.tag("v1", "m", otherRepository));
    await tested.did(change.tag("v1", "n"));
    await tested.did(change.untag("v1"));
    const { metadata } = tested;
    expect(moves(await metadata.history(repository, "v1", 100))).toEqual([
      ["v1", null, digest("n")],
      ["v1", digest("n"), digest("m")],
      ["v1", digest("m"), null],
    ]);
    expect(moves(await metadata.history(repository, "v1", 1))).toEqual([["v1", null, digest("n")]]);
    expect(moves(await metadata.history(otherRepository, null, 100))).toEqual([
      ["v1", digest("m"), null],
    ]);
    expect(await metadata.history(repository, "v9", 100)).toEqual([]);
    expect(await metadata.history("no/such", null, 100)).toEqual([]);
  });

  test("a record tells the generation of the layout that shows it", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.tag("v1", "m"));
    const first = (await tested.layouts.state(repository))?.generation;
    await tested.did(change.tag("v1", "n"), change.untag("v1"));
    const second = (await tested.layouts.state(repository))?.generation;
    const history = await tested.metadata.history(repository, "v1", 100);
    expect(history.map(({ generation }) => generation)).toEqual([
      second,
      second,
      first,
    ] as number[]);
    expect(second).toBeGreaterThan(first ?? NaN);
  });
}
