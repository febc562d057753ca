/**
 * GET of a tag's history (draft of the distribution specification, `_oci/tag-history`).
 *
 * An index lists what the tag pointed at, newest first; annotations tell when it was set or removed. Who did it is told
 * to callers who have logged in. Annotations of the manifests themselves are not repeated.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { textReply } from "../http/reply.ts";
import { nextLink } from "../lib/http_fields.ts";
import { formatMoment, parseMoment } from "../lib/moment.ts";
import type { TagEvent } from "../metadata/past.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestProblem } from "../oci/digest.ts";
import { apiError } from "../oci/errors.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { isTag } from "../oci/reference.ts";
import { referrersIndex } from "../oci/referrers.ts";
import { pastOf } from "../registry/history/past.ts";
import { tagHistory } from "../registry/history/tag_history.ts";
import { invalidTag, malformedDigest, shorten, targetOf, type App } from "./app.ts";
import { countParameter } from "./lists.ts";
import { shownTags } from "./shown_tags.ts";

const standard = "org.opencontainers.distribution.tag";
const own = "io.zotregistry.tag";

export async function getTagHistory(call: Call, app: App): Promise<Reply> {
  const { repository, query } = call;
  const tag = call.params["tag"] ?? "";
  if (!isTag(tag)) throw invalidTag(tag);
  const digest = query.get("digest");
  if (digest !== null && digestProblem(digest) === "malformed") throw malformedDigest(digest);
  const past = await pastOf(app.registry, repository);
  // A tag that is not to be seen is as one that there never was.
  const isShown = shownTags(call)?.(past?.name ?? repository, tag) ?? true;
  if (!isShown) return textReply(200, referrersIndex([]), mediaTypes.ociIndex, {});
  const last = cursor(query.get("last"));
  const { items, next } = await tagHistory(app.registry, {
    repository: past?.name ?? repository,
    tag,
    beforeMoment: before(query.get("before")),
    sinceMoment: momentParameter("since", query.get("since"))?.moment ?? null,
    digest,
    count: countParameter(query.get("n")),
    last: past === null ? last : Math.min(last ?? Infinity, past.sequence + 1),
  });
  const showsWho = app.auth === null || call.by !== null;
  const index = referrersIndex(items.map((event) => describe(event, showsWho)));
  const headers: Record<string, string> = {};
  if (next !== null) {
    const given = ["n", "before", "since", "digest"].flatMap((name): [string, string][] => {
      const value = query.get(name);
      return value === null ? [] : [[name, value]];
    });
    const target = targetOf(call, app, `/v2/${repository}/_oci/tag-history/${tag}`);
    headers["link"] = nextLink(target, [...given, ["last", next]]);
  }
  return textReply(200, index, mediaTypes.ociIndex, headers);
}

function describe(event: TagEvent, showsWho: boolean): Descriptor {
  const { by, reason } = event;
  return {
    // What was removed before history told of it had some type and some size.
    mediaType: event.mediaType ?? mediaTypes.octetStream,
    digest: event.digest,
    size: event.sizeBytes ?? 0,
    annotations: {
      [`${standard}.timestamp`]: formatMoment(event.moment),
      [`${standard}.event`]: event.kind,
      [`${own}.sequence`]: String(event.sequence),
      ...(showsWho && by !== null ? { [`${own}.by`]: by } : {}),
      ...(showsWho && reason !== null ? { [`${own}.reason`]: reason } : {}),
    },
  };
}

/** Events are told to the microsecond: what lies between two of them belongs to the later one. */
function before(text: string | null): number | null {
  const given = momentParameter("before", text);
  if (given === null) return null;
  return given.isExact ? given.moment : given.moment + 1;
}

function momentParameter(name: string, text: string | null): ReturnType<typeof parseMoment> {
  if (text === null) return null;
  // A plus that the client did not encode arrives as a blank.
  const parsed = parseMoment(text.replace(" ", "+"));
  if (parsed !== null) return parsed;
  throw apiError("PARAMETER_INVALID", {
    message: `Expected ${name}=<time as in RFC 3339, such as 2026-11-30T12:00:00Z>, got ${shorten(text)}`,
  });
}

function cursor(text: string | null): number | null {
  if (text === null) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw apiError("PARAMETER_INVALID", {
    message: `Expected last= as the Link of the page before has it, got ${shorten(text)}`,
  });
}
