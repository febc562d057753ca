// Commits at once: they share transactions, keep their order, fail alone, and are seen by others when they
// are acknowledged.

import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Change, Precondition } from "../../src/metadata/metadata.ts";
import {
  blobSize,
  type OpenEmptyStore,
  change,
  digest,
  layoutRecords,
  openTested,
  repository,
} from "./metadata_facts.ts";

const commits = 200;

export function testConcurrency(open: OpenEmptyStore): void {
  test("commits that come together share transactions", async () => {
    await using tested = await openTested(open);
    const { batches } = tested.store;
    if (batches !== null) batches.length = 0;
    await Promise.all(
      Array.from({ length: commits }, (_, index) => tested.did(change.tag(`v${index}`, "m"))),
    );
    if (batches !== null) {
      expect(batches.reduce((sum, each) => sum + each, 0)).toBe(commits);
      expect(batches.length).toBeLessThan(commits / 10);
    }
    expect(await tested.metadata.tags(repository, { after: null, limit: 999 })).toHaveLength(
      commits,
    );
  });

  test("one that is refused does not refuse the others of its transaction", async () => {
    await using tested = await openTested(open);
    const impossible: Precondition = { kind: "tag-exists", tag: "absent" };
    const outcomes = await Promise.all(
      Array.from({ length: commits }, (_, index) =>
        tested.tried(index % 3 === 0 ? [impossible] : [], change.tag(`v${index}`, "m")),
      ),
    );
    expect(outcomes.map(({ committed }) => committed)).toEqual(
      outcomes.map((_, index) => index % 3 !== 0),
    );
    const tags = await tested.metadata.tags(repository, { after: null, limit: 999 });
    expect(tags).toHaveLength(outcomes.filter(({ committed }) => committed).length);
  });

  test("of many that create one tag on the condition that it is new, one wins", async () => {
    await using tested = await openTested(open);
    const isNew: Precondition = { kind: "tag-is", tag: "v1", digests: [null] };
    const names = Array.from({ length: commits }, (_, index) => `manifest ${index}`);
    const outcomes = await Promise.all(
      names.map((name) => tested.tried([isNew], change.put(name), change.tag("v1", name))),
    );
    const winners = names.filter((_, index) => outcomes[index]!.committed);
    expect(winners).toHaveLength(1);
    const standing = await tested.metadata.manifestByTag(repository, "v1");
    expect(standing?.digest).toBe(digest(winners[0]!));
    for (const outcome of outcomes) {
      if (outcome.committed) continue;
      expect(outcome.failed).toEqual([{ precondition: isNew, found: digest(winners[0]!) }]);
    }
    const { records } = await layoutRecords(tested.metadata, repository);
    expect(records).toHaveLength(1);
  });

  test("commits of one caller apply in the order in which they were asked for", async () => {
    await using tested = await openTested(open);
    await Promise.all(
      Array.from({ length: commits }, (_, index) => tested.did(change.tag("v1", `m${index}`))),
    );
    const history = await tested.metadata.history(repository, "v1", 999);
    expect(history.map((record) => record.digest)).toEqual(
      Array.from({ length: commits }, (_, index) => digest(`m${commits - 1 - index}`)),
    );
  });

  test("what was acknowledged is seen at once, here and through another opening", async () => {
    await using tested = await openTested(open);
    const other = tested.store.another();
    for (let index = 0; index < 50; index += 1) {
      await tested.did(change.put(`m${index}`), change.tag("v1", `m${index}`));
      for (const metadata of [tested.metadata, other]) {
        expect((await metadata.manifestByTag(repository, "v1"))?.digest).toBe(digest(`m${index}`));
        expect(await metadata.manifestByDigest(repository, digest(`m${index}`))).not.toBeNull();
      }
      await tested.did(change.untag("v1"));
      expect(await other.manifestByTag(repository, "v1")).toBeNull();
    }
  });

  test("random changes, one by one or together: the store is what a model of it is", async () => {
    const step = fc.record({
      kind: fc.constantFrom("put", "tag", "untag", "remove", "link", "unlink"),
      name: fc.constantFrom("m", "n", "o"),
      tag: fc.constantFrom("v1", "v2"),
    });
    const property = fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 12 }),
      fc.boolean(),
      async (groups, together) => {
        await using tested = await openTested(open);
        const model = new Model();
        const asked = groups.map((steps) => () => tested.did(...steps.map((s) => model.apply(s))));
        if (together) await Promise.all(asked.map((ask) => ask()));
        else for (const ask of asked) await ask();
        const { records } = await layoutRecords(tested.metadata, repository);
        expect(records.map(({ tag, digest }) => `${tag} ${digest}`).toSorted()).toEqual(
          model.records(),
        );
        for (const name of ["m", "n", "o"]) {
          const size = await blobSize(tested.metadata, repository, digest(name));
          expect(size !== null).toBe(model.blobs.has(name));
          const orphaned = await tested.metadata.isOrphan(repository, digest(name));
          expect(orphaned).toBe(model.isOrphan(name));
        }
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });
}

/** What a store must hold, in sets and maps. A tag is set only on a manifest that is there. */
class Model {
  readonly manifests = new Set<string>();
  readonly blobs = new Set<string>();
  readonly #named = new Set<string>();
  readonly #tags = new Map<string, string>();

  /** Applies a step and gives the change that does the same to the store. */
  apply(step: { readonly kind: string; readonly name: string; readonly tag: string }): Change {
    const { kind, name, tag } = step;
    if (kind === "tag" && this.manifests.has(name)) {
      this.#tags.set(tag, name);
      return change.tag(tag, name);
    }
    if (kind === "untag") {
      this.#tags.delete(tag);
      return change.untag(tag);
    }
    if (kind === "remove") {
      this.manifests.delete(name);
      for (const [tag, named] of this.#tags) if (named === name) this.#tags.delete(tag);
      return change.remove(name);
    }
    if (kind === "unlink") {
      this.blobs.delete(name);
      return change.unlink(name);
    }
    this.#named.add(name);
    if (kind === "link") {
      this.blobs.add(name);
      return change.link(name);
    }
    this.manifests.add(name);
    return change.put(name);
  }

  isOrphan(name: string): boolean {
    return this.#named.has(name) && !this.manifests.has(name) && !this.blobs.has(name);
  }

  /** As `layoutRecords` lists them, as text. */
  records(): string[] {
    const tagged = new Set(this.#tags.values());
    return [
      ...[...this.#tags].map(([tag, name]) => `${tag} ${digest(name)}`),
      ...[...this.manifests]
        .filter((name) => !tagged.has(name))
        .map((name) => `null ${digest(name)}`),
    ].toSorted();
  }
}
