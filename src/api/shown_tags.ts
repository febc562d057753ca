/** Which tags a list shows to a caller: those that it may pull, where a policy has conditions on the tag. */
import type { Call } from "../http/call.ts";
import { stepsPerEntry } from "../lib/request_budget.ts";

export type ShowsTag = (repository: string, tag: string) => boolean;

/** Null where what a caller may read does not depend on the tag: then all tags of what it may read are shown. */
export function shownTags({ caller, budget }: Pick<Call, "caller" | "budget">): ShowsTag | null {
  if (!caller.looksAtTags) return null;
  return (repository, tag) => {
    // How many there are is not the sender's choice.
    budget.grant(stepsPerEntry);
    return caller.about(tag).may("read", repository);
  };
}
