// What taking in another tool's layout asks of a store: what a repository holds of a page of digests, where a page of
// tags points, and what a tag was when index.json showed a generation.

import { expect, test } from "bun:test";
import {
  type OpenEmptyStore,
  change,
  digest,
  layoutRecords,
  manifest,
  openTested,
  otherRepository,
  project,
  repository,
} from "./metadata_facts.ts";

export function testIntake(open: OpenEmptyStore): void {
  test("of many digests, those that the repository holds, and as what", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(
      change.link("layer"),
      change.link("gone"),
      change.put("m"),
      change.link("m"),
      change.link("elsewhere", otherRepository),
    );
    await tested.did(change.unlink("gone"));
    const asked = ["layer", "gone", "m", "elsewhere", "never"].map(digest);
    const held = await metadata.held(repository, asked);
    const lines = held.map((found) => `${found.digest} ${found.as}`).toSorted();
    expect(lines).toEqual(
      [
        `${digest("layer")} blob`,
        `${digest("gone")} orphan`,
        `${digest("m")} manifest`,
        `${digest("m")} blob`,
      ].toSorted(),
    );
    expect(await metadata.held("no/such", asked)).toEqual([]);
    expect(await metadata.held(repository, [])).toEqual([]);
  });

  test("of many tags, those that are there", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.put("m"), change.tag("v1", "m"), change.tag("v2", "m"));
    await tested.did(change.untag("v2"));
    expect(await metadata.tagDigests(repository, ["v1", "v2", "v3"])).toEqual([
      { tag: "v1", digest: digest("m") },
    ]);
  });

  test("a manifest that an index names, and nobody has", async () => {
    await using tested = await openTested(open);
    const references = [
      { digest: digest("child"), target: "manifest" as const },
      { digest: digest("layer"), target: "blob" as const },
    ];
    await tested.did(change.put(manifest("index", { references })));
    const asked = ["child", "layer", "other"].map(digest);
    expect(await tested.metadata.parentsOf(repository, asked)).toEqual([
      { child: digest("child"), parent: digest("index") },
    ]);
  });

  test("what a tag was, and its last move", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const past = (tag: string, name: string) => metadata.tagPast(repository, tag, digest(name));
    await tested.did(change.put("a"), change.put("b"), change.put("c"), change.tag("v1", "a"));
    const { generation } = await layoutRecords(metadata);
    const last = { by: "alice", generation, at: expect.any(Number) as number };
    expect(await past("v1", "a")).toEqual({ wasThere: true, last });
    expect(await past("v1", "b")).toEqual({ wasThere: false, last });
    await tested.did(change.tag("v1", "b"));
    await tested.did(change.untag("v1"));
    for (const name of ["a", "b"]) {
      expect(await past("v1", name)).toEqual({
        wasThere: true,
        last: { by: "alice", generation: generation + 2, at: expect.any(Number) as number },
      });
    }
    expect(await past("v1", "c")).toMatchObject({ wasThere: false });
    expect(await past("v9", "a")).toEqual({ wasThere: false, last: null });
  });

  test("a manifest that was removed, since when", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    await tested.did(change.put("m"), change.put("n"), change.tag("v1", "m"));
    const before = (await layoutRecords(metadata)).generation;
    await tested.did(change.remove("m"));
    const after = (await layoutRecords(metadata)).generation;
    expect(await metadata.wasRemoved(repository, digest("m"), before)).toBe(true);
    expect(await metadata.wasRemoved(repository, digest("m"), after)).toBe(false);
    expect(await metadata.wasRemoved(repository, digest("n"), 0)).toBe(false);
  });

  test("all repositories, those without manifests too, page by page", async () => {
    await using tested = await openTested(open);
    await tested.did(change.create("b"), change.put("m", "a"), change.link("x", "c"));
    const { metadata } = tested;
    expect(await metadata.repositories({ after: null, limit: 2 })).toEqual(["a", "b"]);
    expect(await metadata.repositories({ after: "b", limit: 2 })).toEqual(["c"]);
  });

  test("a layout that is being read stands still", async () => {
    await using tested = await openTested(open);
    const names = Array.from({ length: 2_500 }, (_, index) => `t${String(index).padStart(5, "0")}`);
    await tested.did(change.put("m"), ...names.map((name) => change.tag(name, "m")));
    await tested.did(change.put("untagged"));
    const layout = (await tested.metadata.openLayout(repository))!;
    const read: (string | null)[] = [];
    for (const page of layout.pages()) {
      read.push(...page.map(({ tag }) => tag));
      await tested.did(change.untag("t02400"), change.put("new"));
    }
    layout.close();
    expect(read).toEqual([...names, null]);
    expect((await layoutRecords(tested.metadata)).records).toHaveLength(names.length + 1);
  });

  test("an origin of its own for every repository", async () => {
    await using tested = await openTested(open);
    await tested.did(change.put("m"), change.put("m", otherRepository));
    await project(tested);
    const [one, other] = await Promise.all(
      [repository, otherRepository].map((at) => tested.layouts.state(at)),
    );
    expect(one?.origin).toMatch(/^[\w-]{1,64}$/);
    expect(one?.origin).not.toBe(other?.origin);
  });

  test("a manifest that was understood in part has all of it once it is put again", async () => {
    await using tested = await openTested(open);
    const { metadata } = tested;
    const whole = manifest("m", {
      subject: digest("subject"),
      artifactType: "application/vnd.example",
      annotations: '{"a":"b"}',
      references: [{ digest: digest("child"), target: "manifest" }],
    });
    const part = { references: [{ digest: digest("child"), target: "blob" as const }] };
    await tested.did(change.put(manifest("m", part)));
    await tested.did(change.put(whole));
    const page = { after: null, limit: 9, bytesMax: 99_999 };
    expect(
      (await metadata.referrers(repository, digest("subject"), [], page)).records,
    ).toMatchObject([{ artifactType: "application/vnd.example", annotations: '{"a":"b"}' }]);
    expect(await metadata.parentsOf(repository, [digest("child")])).toHaveLength(1);
    const { generation } = await layoutRecords(metadata);
    await tested.did(change.put(whole));
    expect((await layoutRecords(metadata)).generation).toBe(generation);
  });
}
