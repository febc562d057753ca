// Mutants of images, indexes, artifacts.

import { valueOf, withHeader } from "../fault_proxy.ts";
import {
  changing,
  header,
  instead,
  isManifestGet,
  isManifestHead,
  isManifestPut,
  isReferrers,
  isTagReference,
  isTags,
  json,
  otherDigest,
  plain,
  rewriting,
  sha256,
  status,
  type Mutant,
} from "./tools.ts";

export const contentMutants: readonly Mutant[] = [
  {
    breaks: "a manifest push is answered with 200",
    names: "content.image/push-manifest-1",
    fault: status(isManifestPut, 200, [201]),
  },
  {
    breaks: "a manifest push is answered with 202",
    names: "content.image/push-tag-1",
    fault: status((q) => isManifestPut(q) && isTagReference(q), 202, [201]),
  },
  {
    breaks: "a manifest push gives no Location",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Location", null),
  },
  {
    breaks: "the Location of a manifest leads nowhere",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Location", "/v2/zot-compliance/first/manifests/nowhere"),
  },
  {
    breaks: "a manifest push names another digest",
    names: "content.image/push-manifest-1",
    fault: header(isManifestPut, "Docker-Content-Digest", otherDigest),
  },
  {
    breaks: "a manifest push names no digest",
    names: "manifest.push/digest-header",
    fault: header(isManifestPut, "Docker-Content-Digest", null),
  },
  {
    breaks: "manifests come with a charset",
    names: "content.image/push-manifest-1",
    fault: changing(isManifestGet, (a) => ({
      ...a,
      headers: a.headers.map(([k, v]) =>
        k.toLowerCase() === "content-type" ? [k, `${v}; charset=utf-8`] : [k, v],
      ),
    })),
  },
  {
    breaks: "manifests come as plain JSON",
    names: "content.image/push-manifest-1",
    fault: header(isManifestGet, "Content-Type", "application/json"),
  },
  {
    breaks: "manifests are written anew",
    names: "manifest.push/odd-bytes",
    fault: json(isManifestGet, (value) => value),
  },
  {
    breaks: "unknown members are dropped",
    names: "content.custom-fields/push-manifest-1",
    fault: json(isManifestGet, (value) => ({ ...value, futureObject: undefined })),
  },
  {
    breaks: "HEAD of a manifest has no length",
    names: "content.image/head-tag-1",
    fault: changing(isManifestHead, (a) => ({
      ...a,
      headers: withHeader(a.headers, "Content-Length", null),
    })),
  },
  {
    breaks: "HEAD of a manifest has another type",
    names: "content.image/head-manifest-1",
    fault: header(isManifestHead, "Content-Type", "application/json"),
  },
  {
    breaks: "HEAD of a manifest names no digest",
    names: "content.image/digest-tag-1",
    fault: header(isManifestHead, "Docker-Content-Digest", null),
  },
  {
    breaks: "HEAD of a manifest is 405",
    names: "content.image/head-tag-1",
    fault: instead(isManifestHead, () => plain(405)),
  },
  {
    breaks: "a tag set by sha512 answers sha256",
    names: "content.tag-parameters-sha512/digest-tag-1",
    fault: header(
      (q) => isManifestHead(q) && isTagReference(q),
      "Docker-Content-Digest",
      otherDigest,
    ),
  },
  {
    breaks: "OCI-Subject is missing",
    names: "content.missing-subject/push-manifest-1",
    fault: header(isManifestPut, "OCI-Subject", null),
  },
  {
    breaks: "OCI-Subject is another digest",
    names: "referrers.push/header",
    fault: changing(isManifestPut, (a) =>
      valueOf(a.headers, "OCI-Subject") === null
        ? a
        : { ...a, headers: withHeader(a.headers, "OCI-Subject", otherDigest) },
    ),
  },
  {
    breaks: "OCI-Subject comes without a subject",
    names: "referrers.push/no-header",
    fault: header(isManifestPut, "OCI-Subject", otherDigest),
  },
  {
    breaks: "a missing subject is refused",
    names: "content.missing-subject/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"subject"'),
      () => plain(400),
    ),
  },
  {
    breaks: "manifests over 1 MB are refused",
    names: "content.large-manifest/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && q.body.length > 1_000_000,
      () => plain(413),
    ),
  },
  {
    breaks: "an index without manifests is refused",
    names: "content.empty-index/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"manifests":[]'),
      () => plain(400),
    ),
  },
  {
    breaks: "an image without layers is refused",
    names: "content.no-layers/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes('"layers":[]'),
      () => plain(400),
    ),
  },
  {
    breaks: "unknown members are refused",
    names: "content.custom-fields/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes("futureObject"),
      () => plain(400),
    ),
  },
  {
    breaks: "foreign layers are demanded",
    names: "content.non-distributable/push-manifest-1",
    fault: instead(
      (q) => isManifestPut(q) && Buffer.from(q.body).includes("nondistributable"),
      () => plain(404),
    ),
  },
  {
    breaks: "an index as a referrer is not listed",
    names: "content.index-with-subject/referrers-1",
    fault: json(isReferrers, (v) => ({
      ...v,
      manifests: v.manifests.filter((m) => !m.mediaType.includes("index")),
    })),
  },
  {
    breaks: "a manifest that is not of its digest is stored",
    names: "content.bad-digest/push",
    fault: rewriting(
      (q) => isManifestPut(q) && !isTagReference(q),
      (q) => ({ ...q, path: q.path.replace(/[^/]+$/, sha256(q.body)) }),
    ),
  },
  {
    breaks: "a manifest that is not of its digest is 422",
    names: "content.bad-digest/push",
    fault: status(isManifestPut, 422, [400]),
  },
  {
    breaks: "new tags are not listed",
    names: "content.image/list",
    fault: json(isTags, (v) => ({ ...v, tags: [] })),
  },
  {
    breaks: "OCI-Tag is missing",
    names: "manifest.tag-parameters/ten",
    fault: header(isManifestPut, "OCI-Tag", null),
  },
  {
    breaks: "OCI-Tag names tags that were not set",
    names: "manifest.tag-parameters/honest",
    fault: changing(isManifestPut, (a, q) =>
      q.query === ""
        ? a
        : { ...a, status: 201, headers: withHeader(a.headers, "OCI-Tag", "other") },
    ),
  },
  {
    breaks: "tag parameters are ignored",
    names: "manifest.tag-parameters/ten",
    fault: rewriting(isManifestPut, (q) => ({ ...q, query: "" })),
  },
];
