// The long run of the accounting: `npm run accounting [operations] [seed]`, 10,000 by default. The seed is printed.

import { runAccounting } from "./accounting.ts";

const [operationsText = "10000", seedText = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const [operations, seed] = [Number(operationsText), Number(seedText)];
if (![operations, seed].every(Number.isSafeInteger) || operations < 1) {
  console.error("accounting: expected [operations] [seed], both whole numbers");
  process.exit(2);
}
console.log(`accounting: ${operations} operations from seed ${seed}`);
const { problems, comparisons, changes } = await runAccounting({ operations, seed });
for (const problem of problems) console.log(problem);
console.log(
  `accounting: ${changes} changes, ${comparisons} comparisons, ${problems.length} problems`,
);
process.exit(problems.length === 0 ? 0 : 1);
