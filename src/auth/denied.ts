/**
 * The 403 of a caller who lacks a permission. It names the user, the action and the repository to a caller who may read
 * that repository. Other callers learn nothing: an existing repository and a missing one look alike.
 */
import { apiError, type ApiError } from "../oci/errors.ts";
import type { Caller } from "./caller.ts";
import type { Action } from "./options.ts";

export interface DeniedAct {
  /** What would have been needed: any one of these, such as create or update for a push. */
  readonly actions: readonly Action[];
  readonly repository: string;
  /** The tag that the action is about; absent for the repository as a whole. */
  readonly tag?: string;
}

export function denied(caller: Caller, { actions, repository, tag }: DeniedAct): ApiError {
  // The message that the policy's author gave to a condition goes to the caller whom it stops.
  const reason = actions.map((action) => caller.adviceFor(action, repository)).find(isText) ?? null;
  const advice = reason === null ? {} : { reason };
  if (!caller.may("read", repository)) {
    return apiError("DENIED", reason === null ? {} : { detail: advice });
  }
  const who = caller.name ?? "an anonymous caller";
  const needed = actions.join(" or ");
  const what = tag === undefined ? needed : `${needed} the tag ${tag}`;
  const detail = { ...advice, ...(tag === undefined ? {} : { tag }) };
  return apiError("DENIED", {
    message: `${who} may not ${what} in ${repository}`,
    ...(Object.keys(detail).length === 0 ? {} : { detail }),
  });
}

function isText(text: string | null): text is string {
  return text !== null;
}
