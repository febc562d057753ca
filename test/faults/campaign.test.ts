// The campaign of faults over replicas with PostgreSQL and a store of objects, in short, with what its comparisons must
// see; `npm run campaign` has the long version.

import { describe, expect, test } from "bun:test";
import { requirePostgres } from "../postgres.ts";
import { runCampaign, type CampaignOptions } from "./campaign.ts";
import { campaignEvents } from "./campaign_events.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 600_000;
type Plant = NonNullable<CampaignOptions["planted"]>;
/** Those that last for half a minute are for the long version. */
const short = campaignEvents.filter(
  ({ name }) => !/longer than a lease|silent|ten minutes off/.test(name),
);

test.skipIf(!requirePostgres())(
  "replicas that die, a database that crashes and a store that lies lose nothing and leave nothing",
  async () => {
    console.log(`campaign: ZOT_SEED=${seed}`);
    const { problems, acknowledged } = await runCampaign({
      operations: 300,
      seed,
      replicas: 2,
      calm: 100,
      gcDelayMs: 10_000,
      events: short,
      say: (line) => (line.startsWith("skipped") ? console.log(line) : undefined),
    });
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThanOrEqual(300);
  },
  timeoutMs,
);

describe("what a campaign must see", () => {
  const planted: Readonly<Record<string, readonly [seen: string, plant: Plant]>> = {
    "an object that is gone": [
      "has no object",
      async ({ store }) => {
        const [key] = [...store.fake.objects.keys()].filter((each) => each !== "registry.json");
        store.fake.objects.delete(key ?? "");
      },
    ],
    "an object that no row tells of": [
      "object without a row",
      async ({ store: { fake } }) => {
        const headers = {};
        fake.objects.set("objects/00/0", { bytes: Buffer.from("x"), changed: new Date(), headers });
      },
    ],
    "a tag that is gone": [
      "is gone; it was",
      async ({ database }) => database.run("DELETE FROM tags"),
    ],
    "an event of history that is gone": [
      "history",
      async ({ database }) =>
        database.run(
          "DELETE FROM history WHERE sequence IN (SELECT max(h.sequence) FROM history h JOIN tags t " +
            "ON t.repository = h.repository AND t.name = h.tag)",
        ),
    ],
  };
  for (const [name, [seen, plant]] of Object.entries(planted)) {
    test(
      name,
      async () => {
        const { problems } = await runCampaign({
          operations: 120,
          seed,
          database: "sqlite",
          events: [],
          planted: plant,
        });
        expect(problems.join("\n")).toContain(seen);
      },
      timeoutMs,
    );
  }
});
