/** Stars and bookmarks of a user (`/v2/_zot/ext/userprefs`): a request turns one on, or off again. */
import type { App } from "../../api/app.ts";
import type { Call } from "../../http/call.ts";
import type { Reply } from "../../http/endpoint.ts";
import { emptyReply } from "../../http/reply.ts";
import { recordCommit } from "../../metadata/records.ts";
import { summaries, type Preference } from "../../metadata/summaries.ts";
import { apiError } from "../../oci/errors.ts";
import { isRepositoryName } from "../../oci/reference.ts";

const preferences: Readonly<Record<string, Preference>> = {
  toggleStar: "star",
  toggleBookmark: "bookmark",
};

export async function putPreference(call: Call, { registry }: App): Promise<Reply> {
  const action = call.query.get("action");
  const preference = preferences[action ?? ""];
  const repository = call.query.get("repo");
  if (preference === undefined || repository === null) {
    throw apiError("PARAMETER_INVALID", {
      message: `Expected repo=<repository> and action=${Object.keys(preferences).join(" or ")}`,
    });
  }
  const user = call.by;
  if (user === null) throw apiError("DENIED");
  // One that the caller may not read is not there.
  const isThere =
    isRepositoryName(repository) &&
    call.caller.may("read", repository) &&
    (await registry.metadata.repositoryExists(repository));
  if (!isThere) throw apiError("NAME_UNKNOWN");
  await registry.metadata.commit(
    recordCommit(summaries, { kind: "toggle", preference, user, repository }),
  );
  return emptyReply(200, { "cache-control": "no-store", "content-length": "0" });
}
