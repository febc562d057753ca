// Pages of a tag's history while the tag moves. What one page holds is in the table of test/http.

import { expect, test } from "bun:test";
import { change, digest } from "../../../test/contracts/metadata_facts.ts";
import { openWorld, repository } from "../../../test/registry/world.ts";
import { tagHistory } from "./tag_history.ts";

const request = {
  repository,
  tag: "v1",
  beforeMoment: null,
  sinceMoment: null,
  digest: null,
  last: null,
};

test("of 10,000 events no page repeats or leaves out any while the tag moves on", async () => {
  await using world = await openWorld();
  const names = ["a", "b"];
  await world.commit(...names.map((name) => change.put(name, repository)));
  const move = (count: number) =>
    world.commit(
      ...Array.from({ length: count }, (_, at) =>
        change.tag("v1", names[at % 2] ?? "", repository),
      ),
    );
  await move(10_000);
  const seen: number[] = [];
  for (let last: number | null = null; ;) {
    const page = await tagHistory(world.registry, { ...request, count: 700, last });
    seen.push(...page.items.map(({ sequence }) => sequence));
    if (page.next === null) break;
    last = Number(page.next);
    await move(2);
  }
  expect(seen).toHaveLength(10_000);
  expect(seen).toEqual([...new Set(seen)].toSorted((one, other) => other - one));
});

test("a digest that is rare in a long history is found, and a page is clamped", async () => {
  await using world = await openWorld();
  await world.commit(...["a", "b", "rare"].map((name) => change.put(name, repository)));
  const moves = Array.from({ length: 3_000 }, (_, at) =>
    change.tag("v1", at === 5 || at === 1_700 ? "rare" : at % 2 === 0 ? "a" : "b", repository),
  );
  await world.commit(...moves);
  const rare = { ...request, digest: digest("rare") };
  const all = await tagHistory(world.registry, { ...rare, count: null });
  expect([all.items.length, all.next]).toEqual([2, null]);
  const one = await tagHistory(world.registry, { ...rare, count: 1 });
  expect([one.items, one.next]).toEqual([all.items.slice(0, 1), String(all.items[0]?.sequence)]);
  const clamped = await tagHistory(world.registry, { ...request, count: 5_000 });
  expect(clamped.items).toHaveLength(1_000);
});

test("a page looks at some thousands of events, and the next one goes on", async () => {
  await using world = await openWorld();
  await world.commit(...["a", "b", "old"].map((name) => change.put(name, repository)));
  const moves = Array.from({ length: 11_000 }, (_, at) =>
    change.tag("v1", at === 0 ? "old" : at % 2 === 0 ? "a" : "b", repository),
  );
  await world.commit(...moves);
  const old = { ...request, digest: digest("old"), count: null };
  const first = await tagHistory(world.registry, old);
  expect(first.items).toEqual([]);
  const second = await tagHistory(world.registry, { ...old, last: Number(first.next) });
  expect([second.items.length, second.next]).toEqual([1, null]);
});
