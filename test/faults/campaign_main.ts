// The long run of the campaign over replicas: `npm run campaign -- [operations] [seed] [event…]`.
//
// 100,000 acknowledged operations by default; the seed is printed. Words choose events whose names have them, `calm` none.
// CAMPAIGN_DATABASE=sqlite has one server alone, CAMPAIGN_CALM=N longer or shorter calms.

import { runCampaign } from "./campaign.ts";
import { campaignEvents } from "./campaign_events.ts";

const [operationsText = "100000", seedText = String(Date.now() % 1_000_000), ...words] =
  process.argv.slice(2);
const [operations, seed] = [Number(operationsText), Number(seedText)];
const database = process.env["CAMPAIGN_DATABASE"] ?? "postgres";
if (![operations, seed].every(Number.isSafeInteger) || operations < 1) {
  console.error("campaign: expected [operations] [seed], both whole numbers");
  process.exit(2);
}
if (database !== "postgres" && database !== "sqlite") {
  console.error(`campaign: expected CAMPAIGN_DATABASE to be postgres or sqlite, got ${database}`);
  process.exit(2);
}
console.log(`campaign: ${operations} acknowledged operations from seed ${seed}, ${database}`);
const isMeant = ({ name }: { readonly name: string }): boolean =>
  words.some((word) => name.includes(word));
const startedMs = performance.now();
const { problems, acknowledged, unknown, counts, warnings } = await runCampaign({
  operations,
  seed,
  database,
  ...(words.length === 0 ? {} : { events: campaignEvents.filter(isMeant) }),
  ...(process.env["CAMPAIGN_CALM"] === undefined
    ? {}
    : { calm: Number(process.env["CAMPAIGN_CALM"]) }),
  say: (line) => console.log(`  ${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${line}`),
});
for (const [name, count] of Object.entries(counts)) console.log(`  ${count} × ${name}`);
for (const problem of problems) console.log(`PROBLEM ${problem}`);
if (problems.length > 0) for (const line of warnings.slice(-200)) console.log(line);
const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
console.log(
  `campaign: ${acknowledged} acknowledged, ${unknown} of unknown outcome, ${problems.length} problems, ${seconds} s`,
);
process.exit(problems.length === 0 ? 0 : 1);
