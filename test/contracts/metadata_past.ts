// The past: events of tags in their order, with moments that grow, and which of them was the last at a moment.

import { expect, test } from "bun:test";
import type { TagEvent, TagEventsPage } from "../../src/metadata/past.ts";
import {
  change,
  digest,
  manifest,
  openTested,
  otherRepository,
  repository,
  startMs,
  type OpenEmptyStore,
} from "./metadata_facts.ts";

const startsAt = startMs * 1000;
const allEvents = { before: null, after: 0, limit: 100 };
const told = ({ kind, digest: of, moment }: TagEvent) => [kind, of, moment - startsAt];

export function testPast(open: OpenEmptyStore): void {
  test("events of a tag tell what it pointed at, though it and its manifest are gone", async () => {
    await using tested = await openTested(open);
    const { past } = tested.metadata;
    await tested.did(change.put("a"), change.put("b"), change.tag("v1", "a"));
    await tested.did(change.tag("v1", "b"), change.tag("v2", "b"));
    await tested.did(change.tag("v1", "b"), change.put("a"));
    await tested.clock.advance(5);
    await tested.did(change.remove("b"));
    const events = await past.tagEvents(repository, "v1", allEvents);
    expect(events.map(told)).toEqual([
      ["deleted", digest("b"), 5_000],
      ["created", digest("b"), 1],
      ["created", digest("a"), 0],
    ]);
    const { mediaType, sizeBytes } = manifest("b");
    expect(events[0]).toMatchObject({ mediaType, sizeBytes, by: "alice", reason: null });
    expect(await past.tagEvents(repository, "v3", allEvents)).toEqual([]);
    expect(await past.tagEvents(otherRepository, "v1", allEvents)).toEqual([]);
  });

  test("moments of a repository grow by one at least, also when the clock goes back", async () => {
    await using tested = await openTested(open);
    const tags = Array.from({ length: 20 }, (_, at) => change.tag(`v${at}`, "m"));
    await tested.did(change.put("m"), ...tags);
    tested.clock.jump(-3_600_000);
    await tested.did(change.untag("v3"));
    await tested.did(change.put("m", otherRepository), change.tag("v1", "m", otherRepository));
    const moments = await Promise.all(
      tags.map(async (_, at) =>
        (await tested.metadata.past.tagEvents(repository, `v${at}`, allEvents)).map(told),
      ),
    );
    expect(moments[0]).toEqual([["created", digest("m"), 0]]);
    expect(moments[3]).toEqual([
      ["deleted", digest("m"), 20],
      ["created", digest("m"), 3],
    ]);
    const other = await tested.metadata.past.tagEvents(otherRepository, "v1", allEvents);
    expect(other.map(told)).toEqual([["created", digest("m"), -3_600_000_000]]);
  });

  test("events can be asked for between two sequences", async () => {
    await using tested = await openTested(open);
    const { past } = tested.metadata;
    await tested.did(change.put("a"), change.put("b"));
    for (let move = 0; move < 9; move += 1) {
      await tested.did(change.tag("v1", move % 2 === 0 ? "a" : "b"), change.tag("v2", "a"));
    }
    const all = (await past.tagEvents(repository, "v1", allEvents)).map(({ sequence }) => sequence);
    expect(all).toHaveLength(9);
    const some = async (page: Partial<TagEventsPage>) =>
      (await past.tagEvents(repository, "v1", { ...allEvents, ...page })).map(
        ({ sequence }) => sequence,
      );
    expect(await some({ limit: 4 })).toEqual(all.slice(0, 4));
    expect(await some({ before: all[3]! })).toEqual(all.slice(4));
    expect(await some({ after: all[6]! })).toEqual(all.slice(0, 6));
    expect(await some({ before: all[2]!, after: all[6]!, limit: 2 })).toEqual(all.slice(3, 5));
  });

  test("the last event at a moment is found among those of other repositories", async () => {
    await using tested = await openTested(open);
    const { past } = tested.metadata;
    await tested.did(change.put("a"), change.put("a", otherRepository), change.put("b"));
    const places = [repository, otherRepository, otherRepository, repository, repository];
    for (let move = 0; move < 25; move += 1) {
      await tested.clock.advance(move % 3);
      const name = move % 2 === 0 ? "a" : "b";
      await tested.did(
        change.put("late"),
        change.put(name, places[move % 5]),
        change.tag("v1", name, places[move % 5]),
      );
    }
    for (const at of [repository, otherRepository]) {
      const events = (await past.tagEvents(at, "v1", allEvents)).toReversed();
      expect(events.length).toBeGreaterThan(5);
      for (const [place, { sequence, moment }] of events.entries()) {
        expect(await past.sequenceAt(at, moment)).toBe(sequence);
        expect(await past.sequenceAt(at, moment - 1)).toBe(events[place - 1]?.sequence ?? 0);
      }
      expect(await past.sequenceAt(at, Number.MAX_SAFE_INTEGER)).toBe(events.at(-1)!.sequence);
    }
    expect(await past.sequenceAt("no/such", Number.MAX_SAFE_INTEGER)).toBe(0);
  });
}
