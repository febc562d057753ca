// Candidates of collection: what a commit leaves without a name is one from that commit on, and what is named is none.
//
// Each row says what is there, what happens a day later, and which candidates there are then, as `kind name @day`.

import { expect, test } from "bun:test";
import { collection } from "../../src/metadata/collection.ts";
import type { CandidateKind, Metadata } from "../../src/metadata/metadata.ts";
import {
  change,
  digest,
  manifest,
  openTested,
  project,
  startMs,
  type OpenEmptyStore,
  type PlacedChange,
} from "./metadata_facts.ts";

const dayMs = 24 * 60 * 60_000;

const blob = (name: string) => ({ digest: digest(name), target: "blob" as const });
const child = (name: string) => ({ digest: digest(name), target: "manifest" as const });

/** An image `app` of the blobs `config` and `layer`. */
const app = change.put(manifest("app", { references: [blob("config"), blob("layer")] }));
const other = change.put(manifest("other", { references: [blob("layer")] }));
const blobs = [change.link("config"), change.link("layer")];
const index = change.put(manifest("index", { references: [child("app")] }));
const signature = change.put(manifest("sig", { subject: digest("app") }));
const note = change.put(manifest("note", { subject: digest("sig") }));
const cosign = (name: string, ending: string): string =>
  `${digest(name).replace(":", "-")}${ending}`;

/** Collection removes it, and holds nothing. */
const collected = (name: string): PlacedChange => ({
  kind: "remove-manifest",
  digest: digest(name),
  hold: { why: "collected", isOver: true },
});

interface Row {
  readonly given: readonly PlacedChange[];
  /** Further commits, a day apart. */
  readonly later?: readonly (readonly PlacedChange[])[];
  readonly are: readonly string[];
}

const rows: Readonly<Record<string, Row>> = {
  "a blob that no manifest names": {
    given: [change.link("layer")],
    are: ["blob layer unnamed @0"],
  },
  "its second link starts the clock anew": {
    given: [change.link("layer")],
    later: [[change.link("layer")]],
    are: ["blob layer unnamed @1"],
  },
  "a blob that a manifest names is linked again": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.link("layer")]],
    are: [],
  },
  "an image with a tag": { given: [...blobs, app, change.tag("v1", "app")], are: [] },
  "an image without a tag": { given: [...blobs, app], are: ["manifest app untagged @0"] },
  "an image that got its tag later": {
    given: [...blobs, app],
    later: [[change.tag("v1", "app")]],
    are: [],
  },
  "an image without a tag that is pushed again": {
    given: [...blobs, app],
    later: [[app]],
    are: ["manifest app untagged @1"],
  },
  "a tag that moves": {
    given: [...blobs, app, other, change.tag("v1", "app"), change.tag("v2", "other")],
    later: [[change.tag("v1", "other")]],
    are: ["manifest app untagged @1"],
  },
  "a tag that moves, and another one stays": {
    given: [...blobs, app, other, change.tag("v1", "app"), change.tag("v2", "app")],
    later: [[change.tag("v1", "other")]],
    are: [],
  },
  "a tag that is removed": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.untag("v1")]],
    are: ["manifest app untagged @1"],
  },
  "and set again": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.untag("v1")], [change.tag("v2", "app")]],
    are: [],
  },
  "the tag of a child of an index": {
    given: [...blobs, app, index, change.tag("v1", "app"), change.tag("all", "index")],
    later: [[change.untag("v1")]],
    // The index may have waited for long already, and go at once.
    are: ["manifest app untagged @1"],
  },
  "an index without a tag keeps its child": {
    given: [...blobs, app, index],
    are: ["manifest index untagged @0"],
  },
  "a removed image gives its blobs": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.remove("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @1"],
  },
  "the blob that another one names waits since a removed image had it": {
    given: [...blobs, app, other, change.tag("v1", "app"), change.tag("v2", "other")],
    later: [[change.remove("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @1"],
  },
  "what a collected image shares with another one is a candidate, for that may have waited for longer":
    {
      given: [...blobs, app, other, change.tag("v1", "app"), change.tag("v2", "other")],
      later: [[change.untag("v1")], [collected("app")]],
      are: ["blob config unnamed @1", "blob layer unnamed @1"],
    },
  "a child waits since a removed index had it, though another one names it": {
    given: [...blobs, app, index, change.put(manifest("m", { references: [child("app")] }))],
    later: [[change.tag("all", "index")], [change.remove("index")]],
    are: ["manifest app untagged @2", "manifest m untagged @0"],
  },
  "so does the referrer of a removed image, though an index names it": {
    given: [...blobs, app, signature, change.put(manifest("m", { references: [child("sig")] }))],
    later: [[change.tag("v1", "app")], [change.remove("app")]],
    are: [
      "blob config unnamed @2",
      "blob layer unnamed @2",
      "manifest m untagged @0",
      "manifest sig no-subject @2",
    ],
  },
  "a referrer that loses its tag": {
    given: [...blobs, app, signature, change.tag("s", "sig")],
    later: [[change.untag("s")]],
    are: ["manifest app untagged @0", "manifest sig no-subject @1"],
  },
  "a removed index gives its child": {
    given: [...blobs, app, index, change.tag("all", "index")],
    later: [[change.remove("index")]],
    are: ["manifest app untagged @1"],
  },
  "a removed index keeps a child that has a tag": {
    given: [...blobs, app, index, change.tag("all", "index"), change.tag("v1", "app")],
    later: [[change.remove("index")]],
    are: [],
  },
  "what a manifest named inherits its clock": {
    given: [...blobs, app, index, change.tag("all", "index")],
    later: [[change.untag("all")], [collected("index")], [collected("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @1"],
  },
  "of one that somebody deletes it waits since then": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.untag("v1")], [change.remove("app")]],
    are: ["blob config unnamed @2", "blob layer unnamed @2"],
  },
  "but not a blob that was pushed since": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.untag("v1")], [change.link("layer")], [collected("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @2"],
  },
  "nor one that somebody was told of since": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [
      [change.untag("v1")],
      [{ kind: "promise", digest: digest("layer"), as: "blob" }],
      [collected("app")],
    ],
    are: ["blob config unnamed @1", "blob layer unnamed @2"],
  },
  "nor a child that was pushed again since": {
    given: [...blobs, app, index, change.tag("all", "index")],
    later: [[change.untag("all")], [app], [collected("index")]],
    are: ["manifest app untagged @2"],
  },
  "a child that an undo brought back waits anew": {
    given: [...blobs, app, index],
    later: [
      [{ kind: "remove-manifest", digest: digest("app"), hold: { why: "deleted" } }],
      [{ kind: "restore-held", digest: digest("app") }],
    ],
    are: [
      "blob config unnamed @1",
      "blob layer unnamed @1",
      "manifest app untagged @2",
      "manifest index untagged @0",
    ],
  },
  "a blob that was unlinked": {
    given: [change.link("layer"), change.link("config"), change.unlink("layer")],
    are: ["blob config unnamed @0"],
  },
  "a referrer, and its subject": {
    given: [...blobs, app, change.tag("v1", "app"), signature, note],
    are: [],
  },
  "a referrer whose subject is not here": {
    given: [signature],
    are: ["manifest sig no-subject @0"],
  },
  "a referrer with a tag": { given: [signature, change.tag("s", "sig")], are: [] },
  "and without one again": {
    given: [signature, change.tag("s", "sig")],
    later: [[change.untag("s")]],
    are: ["manifest sig no-subject @1"],
  },
  "referrers of a removed image": {
    given: [...blobs, app, change.tag("v1", "app"), signature, note],
    later: [[change.remove("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @1", "manifest sig no-subject @1"],
  },
  "cosign's tags follow their image": {
    given: [
      ...blobs,
      app,
      change.tag("v1", "app"),
      change.put("s"),
      change.tag(cosign("app", ".sig"), "s"),
    ],
    later: [[change.remove("app")]],
    are: ["blob config unnamed @1", "blob layer unnamed @1", "manifest s no-subject @1"],
  },
  "a tag of cosign before its image": {
    given: [change.put("s"), change.tag(cosign("app", ".att"), "s")],
    are: ["manifest s no-subject @0"],
  },
  "a manifest with a tag of cosign loses its other tag": {
    given: [change.put("s"), change.tag(cosign("app", ".sbom"), "s"), change.tag("v1", "s")],
    later: [[change.untag("v1")]],
    are: ["manifest s untagged @1"],
  },
  "a manifest that names less by another media type": {
    given: [...blobs, app, change.tag("v1", "app")],
    later: [[change.put(manifest("app", { mediaType: "a/b", references: [blob("config")] }))]],
    are: ["blob layer unnamed @1", "manifest app untagged @1"],
  },
  "a repository without content": { given: [change.create()], are: ["repository  empty @0"] },
  "a repository that lost its last blob": {
    given: [change.link("layer")],
    later: [[change.unlink("layer")]],
    are: ["repository  empty @0"],
  },
  "a repository that lost its last manifest": {
    given: [change.put("m"), change.tag("v1", "m")],
    later: [[change.remove("m")]],
    are: ["repository  empty @1"],
  },
};

const names = ["config", "layer", "app", "other", "index", "sig", "note", "s", "m"];
const nameOf = new Map<string, string>(names.map((name) => [digest(name), name]));

async function candidatesOf(metadata: Metadata): Promise<string[]> {
  const kinds: CandidateKind[] = ["blob", "manifest", "repository"];
  const reads = metadata.records(collection);
  const found = await Promise.all(
    kinds.map((kind) => reads.due(kind, Number.MAX_SAFE_INTEGER, null, 100)),
  );
  return found
    .flat()
    .map(
      ({ kind, digest: which, reason, since }) =>
        `${kind} ${nameOf.get(which) ?? which} ${reason} @${(since - startMs) / dayMs}`,
    )
    .toSorted();
}

export function testCandidates(open: OpenEmptyStore): void {
  const drop = (name: string, as: "blob" | "manifest"): PlacedChange => ({
    kind: "drop-candidate",
    digest: digest(name),
    as,
  });
  test("only what has a name is dropped, whoever has looked before", async () => {
    await using tested = await openTested(open);
    const tag = cosign("index", ".sig");
    await tested.did(...blobs, app, index, change.put("s"), change.tag(tag, "s"));
    await tested.did(change.put("m"), change.tag(cosign("note", ".sig"), "m"));
    const promised = ["app", "index", "s"].map(
      (name) => ({ kind: "promise", digest: digest(name), as: "manifest" }) as const,
    );
    await tested.did(...promised, { kind: "promise", digest: digest("layer"), as: "blob" });
    await tested.did(change.link("other"));
    const dropAll = [
      ...["app", "index", "s", "m"].map((name) => drop(name, "manifest")),
      ...["layer", "other"].map((name) => drop(name, "blob")),
    ];
    await tested.did(...dropAll);
    expect(await candidatesOf(tested.metadata)).toEqual([
      "blob other unnamed @0",
      "manifest index untagged @0",
      "manifest m no-subject @0",
    ]);
  });

  for (const [name, row] of Object.entries(rows)) {
    test(name, async () => {
      await using tested = await openTested(open);
      for (const commit of [row.given, ...(row.later ?? [])]) {
        await tested.did(...commit);
        await tested.clock.advance(dayMs);
      }
      expect(await candidatesOf(tested.metadata)).toEqual(row.are.toSorted());
    });
  }

  test("a candidate that a rule keeps is not due before its time, and is told again when rules change", async () => {
    await using tested = await openTested(open);
    const reads = tested.metadata.records(collection);
    await tested.did(change.put("m"));
    await tested.clock.advance(dayMs);
    const lookAt = startMs + 9 * dayMs;
    await tested.did({ kind: "keep-candidate", digest: digest("m"), as: "manifest", lookAt });
    const due = (until: number) => reads.due("manifest", until, null, 9);
    expect(await due(lookAt - 1)).toEqual([]);
    expect(await due(lookAt)).toMatchObject([{ since: startMs, lookAt }]);
    expect(await reads.hasLater("manifest", tested.clock.now())).toBe(true);
    const again = {
      kind: "look-again",
      of: "manifest",
      now: tested.clock.now(),
      limit: 9,
    } as const;
    await tested.metadata.commit({ records: "collection", changes: [again] });
    expect(await due(tested.clock.now())).toMatchObject([{ since: startMs, lookAt: startMs }]);
    expect(await reads.hasLater("manifest", tested.clock.now())).toBe(false);
    // The moment that was noted lies in the past, and with another delay it would be another one.
    const kept = { kind: "keep-candidate", digest: digest("m"), as: "manifest" } as const;
    await tested.did({ ...kept, lookAt: startMs + 1 });
    expect(await reads.hasLater("manifest", tested.clock.now())).toBe(true);
    await tested.metadata.commit({ records: "collection", changes: [again] });
    expect(await due(tested.clock.now())).toMatchObject([{ since: startMs, lookAt: startMs }]);
    expect(await reads.hasLater("manifest", tested.clock.now())).toBe(false);
  });

  test("due candidates come page by page, each once", async () => {
    await using tested = await openTested(open);
    const all = Array.from({ length: 25 }, (_, at) => change.link(`b${at}`, `team/app-${at % 3}`));
    await tested.did(...all);
    const reads = tested.metadata.records(collection);
    const seen: string[] = [];
    for (let after = null as Awaited<ReturnType<typeof reads.due>>[number] | null; ;) {
      const page = await reads.due("blob", startMs, after, 4);
      seen.push(...page.map((one) => `${one.repository} ${one.digest}`));
      after = page.at(-1) ?? null;
      if (after === null) break;
    }
    expect(seen).toHaveLength(25);
    expect(new Set(seen).size).toBe(25);
  });

  test("a removed repository is in no list, keeps its history, and comes back with a push", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.put("m"), change.tag("v1", "m"));
    const refused = await tested.tried([{ kind: "repository-empty" }], {
      kind: "remove-repository",
    });
    expect(refused.committed).toBe(false);
    await tested.did(change.remove("m"));
    await project(tested);
    await tested.did(change.sweep("m"));
    const outcome = await tested.tried([{ kind: "repository-empty" }], {
      kind: "remove-repository",
    });
    expect(outcome).toEqual({ committed: true });
    const at = "library/app";
    const page = { after: null, limit: 9 };
    expect(await metadata.repositoryExists(at)).toBe(false);
    expect(await metadata.repositories(page)).toEqual([]);
    expect(await metadata.openLayout(at)).toBeNull();
    expect(await tested.layouts.state(at)).toBeNull();
    expect(await tested.layouts.stale(9)).toEqual([]);
    const past = await metadata.history(at, null, 9);
    expect(past).not.toEqual([]);
    await tested.did(change.put("m"), change.tag("v2", "m"));
    expect(await metadata.repositoryExists(at)).toBe(true);
    expect(await metadata.repositories(page)).toEqual([at]);
    expect(await tested.layouts.stale(9)).toEqual([at]);
    expect(await tested.layouts.state(at)).toMatchObject({ projected: 0, stampCurrent: null });
    expect(await metadata.history(at, null, 9)).toHaveLength(past.length + 1);
  });
}
