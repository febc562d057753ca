// Mutants of the base, and repositories that do not exist.

import {
  body,
  header,
  instead,
  isBlobGet,
  isBlobHead,
  isManifestGet,
  isPing,
  isReferrers,
  isTags,
  plain,
  status,
  type Mutant,
} from "./tools.ts";

export const pingMutants: readonly Mutant[] = [
  { breaks: "ping is answered with 500", names: "ping/status", fault: status(isPing, 500) },
  {
    breaks: "ping has a body that is no JSON",
    names: "ping/body",
    fault: body(isPing, () => "hello"),
  },
  {
    breaks: "ping does not name the API version",
    names: "ping/version-header",
    fault: header(isPing, "Docker-Distribution-Api-Version", null),
  },
  {
    breaks: "HEAD of the base is refused",
    names: "ping/head",
    fault: instead(
      (q) => isPing(q) && q.method === "HEAD",
      () => plain(405),
    ),
  },
  {
    breaks: "no answer without the slash",
    names: "ping/no-slash",
    fault: instead(
      (q) => q.path === "/v2",
      () => plain(404),
    ),
  },
  {
    breaks: "referrers of an unknown repository are 404",
    names: "empty/referrers",
    fault: status((q) => isReferrers(q) && q.path.includes("never-"), 404),
  },
  {
    breaks: "referrers have a charset in their type",
    names: "empty/referrers",
    fault: header(
      isReferrers,
      "Content-Type",
      "application/vnd.oci.image.index.v1+json; charset=utf-8",
    ),
  },
  {
    breaks: "the tag list of an unknown repository fails",
    names: "empty/tags",
    fault: status(isTags, 500, [404]),
  },
  {
    breaks: "a tag in an unknown repository is 400",
    names: "empty/manifest-by-tag",
    fault: status(isManifestGet, 400, [404]),
  },
  {
    breaks: "a digest in an unknown repository is found",
    names: "empty/manifest-by-digest",
    fault: status(isManifestGet, 200, [404]),
  },
  {
    breaks: "a blob in an unknown repository is 403",
    names: "empty/blob",
    fault: status(isBlobGet, 403, [404]),
  },
  {
    breaks: "HEAD in an unknown repository is 200",
    names: "empty/blob-head",
    fault: status(isBlobHead, 200, [404]),
  },
];
