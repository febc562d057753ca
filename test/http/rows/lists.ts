// The table of lists: tags, catalog, referrers [end-8, end-12, _catalog]. Long lists stand in `lists.test.ts`.

import { mediaTypes } from "../../../src/oci/media_types.ts";
import {
  config,
  type Descriptor,
  descriptor,
  image,
  index,
  layer,
  type ManifestContent,
  referrer,
} from "../content.ts";
import { deleted, json } from "../expected.ts";
import type { Given, Headers, Row, Step } from "../row.ts";

const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];
const tagging = 'distribution-spec, "Listing Tags" [end-8]';
const referring = 'distribution-spec, "Listing Referrers" [end-12]';

function link(path: string, query: string): Headers {
  return { link: `<${path}?${query}>; rel="next"` };
}

/** A page of tags; `next` is the query of the page that follows. */
function tags(query: string, names: readonly string[], next?: string): Step {
  return {
    send: `GET /v2/{r}/tags/list${query}`,
    endpoint: "tag.list",
    answer: 200,
    ...json(
      { name: "{r}", tags: names },
      next === undefined ? {} : link("/v2/{r}/tags/list", next),
    ),
  };
}

const names = ["1.0", "1.10", "1.9", "A", "Z", "_x", "a", "a-b", "a.b", "ab", "b"];
const tagged: readonly Given[] = [
  ...blobs,
  ...names.toReversed().map((tag) => ({ manifest: image(), tag })),
];

function listed(rule: string, ...steps: Step[]): Row {
  return { rule, source: tagging, given: tagged, steps };
}

const badCounts = ["", "-1", "a", "1.5", "%20", "+5", "0x10", "1e3", "١", "n", "null", "5%00"];

const tagRows: readonly Row[] = [
  listed("All tags are listed in byte order", tags("", names), tags("?x=1", names)),
  listed(
    "A page has as many tags as asked, and leads to the next while there is one",
    tags("?n=4", names.slice(0, 4), "n=4&last=A"),
    tags("?n=4&last=A", names.slice(4, 8), "n=4&last=a-b"),
    tags("?n=4&last=a-b", names.slice(8)),
    tags("?n=10", names.slice(0, 10), "n=10&last=ab"),
    tags("?n=11", names),
    tags("?n=1&last=ab", ["b"]),
    tags("?n=12", names),
    tags("?n=5&x=y&last=a", names.slice(7)),
  ),
  listed(
    "A page starts after any text, whether it is a tag or not",
    tags("?last=1.5", names.slice(2)),
    tags("?last=Zz", names.slice(5)),
    tags("?last=b", []),
    tags("?last=zzz", []),
    tags("?last=", names),
    tags("?n=2&last=%00%ff%0d%0aX:%20y", names.slice(0, 2), "n=2&last=1.10"),
    tags("?n=2&last=%22%3E%3Cx", names.slice(0, 2), "n=2&last=1.10"),
    tags(`?n=2&last=${"z".repeat(3000)}`, []),
  ),
  listed(
    "No tags are asked for with n=0, and there is no next page",
    tags("?n=0", []),
    tags("?n=00&last=a", []),
  ),
  listed(
    "A count beyond any page is held to one",
    tags("?n=99999999999999999999999999", names),
    tags(`?n=${"9".repeat(1000)}`, names),
    tags("?n=0000003", names.slice(0, 3), "n=3&last=1.9"),
  ),
  listed(
    "A count that is none is refused",
    ...badCounts.map((count) => ({
      send: `GET /v2/{r}/tags/list?n=${count}`,
      endpoint: "tag.list",
      answer: "PARAMETER_INVALID" as const,
      says: /^Expected n=<whole number>/,
    })),
  ),
  listed(
    "Of a repeated parameter the first counts",
    tags("?n=2&n=5", names.slice(0, 2), "n=2&last=1.10"),
  ),
  {
    rule: "A repository without tags has an empty list",
    source: tagging,
    given: [...blobs, { manifest: image() }],
    steps: [tags("", []), tags("?n=5", []), tags("?last=x", [])],
  },
  {
    rule: "A repository that is not there has no list, whatever the page",
    source: tagging,
    steps: ["", "?n=0", "?n=5&last=x"].map((query) => ({
      send: `GET /v2/{r}/tags/list${query}`,
      endpoint: "tag.list",
      answer: "NAME_UNKNOWN" as const,
    })),
  },
  {
    rule: "A repository name that cannot be has no list",
    source: tagging,
    steps: [{ send: "GET /v2/UPPER/tags/list", endpoint: "tag.list", answer: "NAME_INVALID_READ" }],
  },
];

/** For a server of their own: the catalog shows what other rows push. */
export const catalogRows: readonly Row[] = [
  {
    rule: "Repositories with a manifest are listed in byte order, after any text",
    source: "ours [_catalog]",
    given: [
      ...blobs,
      { manifest: image() },
      { blob: config, in: "{r}-x" },
      { blob: layer, in: "{r}-x" },
      { manifest: image(), tag: "latest", in: "{r}-x" },
      { blob: config, in: "{r}/below" },
      { blob: config, in: "{r}.only-blobs" },
    ],
    steps: [
      catalog("", ["{r}", "{r}-x"]),
      catalog("?n=1", ["{r}"], "n=1&last={encoded}"),
      catalog("?n=1&last={r}", ["{r}-x"]),
      catalog("?n=2", ["{r}", "{r}-x"]),
      catalog("?last={r}%2C", ["{r}-x"]),
      catalog("?last={r}-x", []),
      catalog("?n=99999999999999999999999999", ["{r}", "{r}-x"]),
    ],
  },
  {
    rule: "No repositories are asked for with n=0",
    source: "ours [_catalog]",
    steps: [catalog("?n=0", []), catalog("?last=zzzz", [])],
  },
  {
    rule: "A count that is none is refused",
    source: "ours [_catalog]",
    steps: badCounts.map((count) => ({
      send: `GET /v2/_catalog?n=${count}`,
      endpoint: "catalog.list",
      answer: "PARAMETER_INVALID" as const,
    })),
  },
];

function catalog(query: string, repositories: readonly string[], next?: string): Step {
  return {
    send: `GET /v2/_catalog${query}`,
    endpoint: "catalog.list",
    answer: 200,
    ...json({ repositories }, next === undefined ? {} : link("/v2/_catalog", next)),
  };
}

const subject = image();
const other = image({ annotations: { other: "yes" } });
const signature = "application/vnd.example.signature";
const sbom = "application/vnd.example.sbom+json";
const signed = referrer(subject, 1);
const listedSbom = referrer(subject, 2, { artifactType: sbom });
const plain = referrer(subject, 3, { artifactType: undefined });
const wide = index([], {
  subject: descriptor(subject, subject.mediaType),
  annotations: { kind: "index" },
});

const bundleType = "application/vnd.dev.sigstore.bundle+json;version=0.2";
const bundle = referrer(subject, 4, { artifactType: bundleType });
/** The type of its config, which is shown where an image has no artifact type. */
const page = referrer(subject, 5, {
  artifactType: undefined,
  config: descriptor(config, 'text/html; charset="utf-8"'),
});

const entries: Record<string, Descriptor> = {
  signed: descriptor(signed, signed.mediaType, {
    artifactType: signature,
    annotations: { n: "1" },
  }),
  sbom: descriptor(listedSbom, signed.mediaType, { artifactType: sbom, annotations: { n: "2" } }),
  // Without an artifact type an image has that of its config, and an index has none.
  plain: descriptor(plain, plain.mediaType, {
    artifactType: mediaTypes.ociConfig,
    annotations: { n: "3" },
  }),
  wide: descriptor(wide, wide.mediaType, { annotations: { kind: "index" } }),
  bundle: descriptor(bundle, bundle.mediaType, {
    artifactType: bundleType,
    annotations: { n: "4" },
  }),
  page: descriptor(page, page.mediaType, {
    artifactType: 'text/html; charset="utf-8"',
    annotations: { n: "5" },
  }),
};

function referrers(
  names: readonly (keyof typeof entries)[],
  options: { query?: string; of?: string; in?: string; filtered?: boolean } = {},
): Step {
  const manifests = names
    .map((name) => entries[name])
    .sort((a, b) => ((a?.digest ?? "") < (b?.digest ?? "") ? -1 : 1));
  return {
    send: `GET /v2/${options.in ?? "{r}"}/referrers/${options.of ?? subject.digest}${options.query ?? ""}`,
    endpoint: "referrer.list",
    answer: 200,
    has: {
      "content-type": mediaTypes.ociIndex,
      ...(options.filtered === true ? { "oci-filters-applied": "artifactType" } : {}),
    },
    gives: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
  };
}

const put = (manifest: ManifestContent): Given => ({ manifest });
const referring4: readonly Given[] = [
  ...blobs,
  put(subject),
  put(signed),
  put(listedSbom),
  put(plain),
  put(wide),
];
const every = ["signed", "sbom", "plain", "wide"] as const;

const referrerRows: readonly Row[] = [
  {
    rule: "Manifests are listed under their subject, with artifact type and annotations",
    source: referring,
    given: referring4,
    steps: [
      referrers(every),
      referrers(every, { query: "?x=y" }),
      referrers([], { of: other.digest }),
      referrers([], { of: signed.digest }),
    ],
  },
  {
    rule: "Only manifests of an artifact type are listed when one is asked for, several when several are",
    source: referring,
    given: referring4,
    steps: [
      referrers(["signed"], { query: `?artifactType=${signature}`, filtered: true }),
      referrers(["plain"], { query: `?artifactType=${mediaTypes.ociConfig}`, filtered: true }),
      referrers([], { query: "?artifactType=application/none", filtered: true }),
      referrers([], { query: "?artifactType=APPLICATION/vnd.example.signature", filtered: true }),
      referrers(["signed", "sbom"], {
        query: `?artifactType=${signature}&artifactType=${encodeURIComponent(sbom)}`,
        filtered: true,
      }),
      referrers([], { of: other.digest, query: `?artifactType=${signature}`, filtered: true }),
    ],
  },
  {
    rule: "A plus in an artifact type may be written as it is or encoded",
    source: "ours",
    given: referring4,
    steps: [
      referrers(["sbom"], { query: `?artifactType=${encodeURIComponent(sbom)}`, filtered: true }),
      referrers(["sbom"], { query: `?artifactType=${sbom}`, filtered: true }),
    ],
  },
  {
    rule: "An artifact type with parameters is listed, and asked for, as it was pushed",
    source: "RFC 9110 §8.3.1, RFC 6838",
    given: [...referring4, put(bundle), put(page)],
    steps: [
      referrers([...every, "bundle", "page"]),
      ...[
        encodeURIComponent(bundleType),
        bundleType,
        bundleType.replace("+", "%2B"),
        bundleType.replace(";", "%3B"),
      ].map((type) => referrers(["bundle"], { query: `?artifactType=${type}`, filtered: true })),
      ...["text/html;%20charset=%22utf-8%22", "text/html;+charset=%22utf-8%22"].map((type) =>
        referrers(["page"], { query: `?artifactType=${type}`, filtered: true }),
      ),
      referrers([], { query: "?artifactType=text/html", filtered: true }),
    ],
  },
  {
    rule: "An empty artifact type asks for nothing",
    source: "ours",
    given: referring4,
    steps: [referrers(every, { query: "?artifactType=" })],
  },
  {
    rule: "So many artifact types are refused",
    source: "ours",
    steps: [
      {
        ...referrers([], { query: `?${"artifactType=a/b&".repeat(33)}` }),
        answer: "PARAMETER_INVALID",
        has: {},
        gives: undefined,
        says: /32 artifactType/,
      },
      referrers([], { query: `?${"artifactType=a/b&".repeat(32)}`, filtered: true }),
    ],
  },
  {
    rule: "Referrers are listed before their subject is pushed, and after it is deleted",
    source: referring,
    given: [...blobs, put(signed)],
    steps: [
      referrers(["signed"]),
      {
        send: `PUT /v2/{r}/manifests/${subject.digest}`,
        headers: { "content-type": subject.mediaType },
        body: subject.bytes,
        endpoint: "manifest.put",
        answer: 201,
        has: {
          location: `/v2/{r}/manifests/${subject.digest}`,
          "docker-content-digest": subject.digest,
        },
      },
      remove(subject.digest),
      referrers(["signed"]),
    ],
  },
  {
    rule: "A referrer that is deleted is listed no more, and one that is pushed again is listed once",
    source: referring,
    given: [...blobs, put(signed), put(listedSbom), put(signed)],
    steps: [referrers(["signed", "sbom"]), remove(signed.digest), referrers(["sbom"])],
  },
  {
    rule: "Referrers of another repository are not listed",
    source: referring,
    given: [
      { blob: config, in: "{r2}" },
      { blob: layer, in: "{r2}" },
      { manifest: signed, in: "{r2}" },
      { blob: config },
    ],
    steps: [referrers([]), referrers(["signed"], { in: "{r2}" })],
  },
  {
    rule: "What is unknown has an empty list: repository, subject, and a digest not computed here",
    source: referring,
    steps: [
      referrers([], { in: "{r}/never" }),
      referrers([], { of: `sha256:${"0".repeat(64)}` }),
      referrers([], { of: `sha512:${"0".repeat(128)}` }),
      referrers([], { of: encodeURIComponent(subject.digest) }),
      referrers([], { of: `md5:${"0".repeat(32)}` }),
      referrers([], { of: `blake3:${"0".repeat(64)}` }),
    ],
  },
  {
    rule: "A subject under a digest that is not computed here has its referrers",
    source: referring,
    given: [...blobs, put(foreignSubject())],
    steps: [
      {
        ...referrers([], { of: foreignDigest() }),
        gives: {
          schemaVersion: 2,
          mediaType: mediaTypes.ociIndex,
          manifests: [
            descriptor(foreignSubject(), subject.mediaType, {
              artifactType: signature,
              annotations: { n: "9" },
            }),
          ],
        },
      },
    ],
  },
  {
    rule: "What is no digest is refused",
    source: referring,
    steps: ["latest", "sha256:abc", `sha256:${"A".repeat(64)}`, "sha256:", "", "%00", "a:b:c"].map(
      (digest) => ({
        send: `GET /v2/{r}/referrers/${digest}`,
        endpoint: "referrer.list",
        answer: "DIGEST_INVALID" as const,
      }),
    ),
  },
  {
    rule: "A repository name that cannot be has no referrers",
    source: referring,
    steps: [
      {
        send: `GET /v2/UPPER/referrers/${subject.digest}`,
        endpoint: "referrer.list",
        answer: "NAME_INVALID_READ",
      },
    ],
  },
];

function foreignDigest(): string {
  return `blake3:${"b".repeat(64)}`;
}

function foreignSubject(): ManifestContent {
  return referrer(subject, 9, {
    subject: { mediaType: subject.mediaType, size: 5, digest: foreignDigest() },
  });
}

function remove(digest: string): Step {
  return {
    send: `DELETE /v2/{r}/manifests/${digest}`,
    endpoint: "manifest.delete",
    answer: 202,
    has: deleted,
  };
}

export const listRows: readonly Row[] = [...tagRows, ...referrerRows];
