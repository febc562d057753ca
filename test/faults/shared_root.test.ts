// Two servers on one root (`storage.shared`): what one acknowledges the other serves, and when one is killed the
// other goes on, its background work included.

import { expect, test } from "bun:test";
import { eventually, startZot, tempDirectory, type Zot } from "../harness.ts";
import { checkRoot } from "./check_root.ts";
import { Journal } from "./journal.ts";
import { startLoad } from "./load.ts";
import { checkAtRest } from "./processes_killed.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const config = { storage: { shared: true }, http: { workers: 1 } };

const isReady = async (zot: Zot): Promise<boolean> =>
  (await fetch(`${zot.url}/readyz`)).status === 200;

test("two servers share a root, and one of them may be killed", async () => {
  console.log(`shared root: ZOT_SEED=${seed}`);
  await using directory = await tempDirectory("zot-shared");
  const rootDirectory = `${directory.path}/root`;
  const journal = new Journal();
  await using first = await startZot({ rootDirectory, config });
  await using second = await startZot({ rootDirectory, config });
  for (const zot of [first, second]) {
    await eventually("both are ready", () => isReady(zot));
  }
  const loads = [first, second].map(({ url }, index) =>
    startLoad({ url, journal, clients: 3, seed: seed + index, clientNames: `s${index}-` }),
  );
  await loads[0]!.acknowledged(60);
  for (const load of loads) await load.stop();
  for (const { url } of [first, second]) expect(await journal.check(url)).toEqual([]);

  const again = [first, second].map(({ url }, index) =>
    startLoad({ url, journal, clients: 3, seed: seed + 10 + index, clientNames: `t${index}-` }),
  );
  await again[1]!.acknowledged(30);
  await first.kill();
  await again[1]!.acknowledged(30);
  for (const load of again) await load.stop();
  expect(await journal.check(second.url)).toEqual([]);

  // The first one had the lease of writing index.json; the second one has it now.
  await eventually("index.json is exact", () => checkAtRest(rootDirectory, journal).length === 0);
  expect(await second.stop()).toBe(0);
  expect(checkRoot(rootDirectory).violations).toEqual([]);
  expect(checkAtRest(rootDirectory, journal)).toEqual([]);
});
