/** What a commit costs, before it is run. */
import { isRecordCommit, partsOf, type AnyCommit } from "../metadata.ts";
import { storesIn, type RecordCommit } from "../records.ts";

/** Characters of annotations, or of bytes that are kept, that are written for the price of a row. */
const charsPerStep = 4096;

/** How many checks and rows a commit takes, about. */
export function stepsOf(commit: AnyCommit): number {
  if (isRecordCommit(commit)) {
    return storesIn(commit).reduce((steps, records) => steps + stepsOfRecords(records), 0);
  }
  let steps = 0;
  for (const { preconditions, changes, records = [] } of partsOf(commit)) {
    steps += preconditions.length + changes.length;
    for (const each of records) steps += stepsOfRecords(each);
    for (const change of changes) {
      if (change.kind !== "put-manifest") continue;
      const { references, annotations } = change.manifest;
      steps += references.length + (annotations?.length ?? 0) / charsPerStep;
    }
  }
  return steps;
}

function stepsOfRecords({ changes }: RecordCommit): number {
  const kept = changes.map(({ base64 }) => (typeof base64 === "string" ? base64.length : 0));
  return kept.reduce((steps, chars) => steps + 1 + chars / charsPerStep, 0);
}
