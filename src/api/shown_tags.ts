/** Which tags a list shows to a caller: those that it may pull, where a policy has conditions on the tag. */
import { denied } from "../auth/denied.ts";
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

/** What a request asks about by the name of a tag is refused as a pull of that tag is. @throws DENIED. */
export function requireShown({ caller }: Call, repository: string, tags: readonly string[]): void {
  for (const tag of tags) {
    const about = caller.about(tag);
    if (!about.may("read", repository)) throw denied(about, { actions: ["read"], repository });
  }
}
