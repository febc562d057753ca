/** What a commit costs, before it is run. */
import { isRecordCommit, partsOf, type AnyCommit } from "../metadata.ts";
import { storesIn } from "../records.ts";

/** Characters of annotations that are written for the price of a row. */
const charsPerStep = 4096;

/** How many checks and rows a commit takes, about. */
export function stepsOf(commit: AnyCommit): number {
  if (isRecordCommit(commit)) {
    return storesIn(commit).reduce((steps, { changes }) => steps + changes.length, 0);
  }
  let steps = 0;
  for (const { preconditions, changes, records = [] } of partsOf(commit)) {
    steps += preconditions.length + changes.length;
    for (const each of records) steps += each.changes.length;
    for (const change of changes) {
      if (change.kind !== "put-manifest") continue;
      const { references, annotations } = change.manifest;
      steps += references.length + (annotations?.length ?? 0) / charsPerStep;
    }
  }
  return steps;
}
