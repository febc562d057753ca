// Cases: pulling a blob: ranges, conditions, headers, and that repositories do not see each other.
import type { Exchange } from "../../client/exchange.ts";
import type { HeaderLine } from "../../client/http_message.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Blob } from "../content.ts";
import {
  expectBody,
  expectDigest,
  expectHeader,
  expectLength,
  expectNoBody,
  expectNoHeader,
  expectStatus,
  expectThat,
} from "../expect.ts";
import type { ClauseName } from "../specification/clauses.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported, Wrong } from "../verdict.ts";
import { parseMultipart } from "./multipart.ts";
import { once } from "./once.ts";

const blobBytes = 2048;

export function pullBlobScenarios(): Scenario[] {
  return [
    ...(["sha256", "sha512"] as const).map((algorithm) => {
      const shared = once(async (t) => {
        if (t.facts.refusedAlgorithms.has(algorithm)) throw new Skipped(`${algorithm} is refused`);
        return t.pushBlob(t.blob(blobBytes, algorithm));
      });
      const title = `Parts of a blob by ${algorithm}`;
      return scenario("pull", `pull.range.${algorithm}`, title, rangeCases(shared));
    }),
    scenario("pull", "pull.range.edge", "Ranges at the edge", edgeCases),
    scenario("pull", "pull.condition", "Conditional requests", conditionCases),
    scenario("pull", "pull.headers", "Headers of a blob", headerCases),
  ];
}

interface RangeRow {
  id: string;
  range: string;
  /** First and last byte expected; null where the range cannot be satisfied. */
  part: readonly [first: number, last: number] | null;
  clause: ClauseName;
}

const rangeRows: readonly RangeRow[] = [
  { id: "middle", range: "bytes=500-1499", part: [500, 1499], clause: "blobRange" },
  { id: "to-end", range: "bytes=500-", part: [500, 2047], clause: "blobRange" },
  { id: "suffix", range: "bytes=-500", part: [1548, 2047], clause: "blobRange" },
  { id: "clamped", range: "bytes=2000-5000", part: [2000, 2047], clause: "rangeSingle" },
  { id: "first-byte", range: "bytes=0-0", part: [0, 0], clause: "blobRange" },
  { id: "last-byte", range: "bytes=2047-2047", part: [2047, 2047], clause: "blobRange" },
  { id: "one-past-end", range: "bytes=1000-2048", part: [1000, 2047], clause: "rangeSingle" },
  { id: "all", range: "bytes=0-2047", part: [0, 2047], clause: "blobRange" },
  { id: "long-suffix", range: "bytes=-5000", part: [0, 2047], clause: "rangeSingle" },
  { id: "backwards", range: "bytes=500-0", part: null, clause: "blobRange" },
  { id: "beyond", range: "bytes=5000-10000", part: null, clause: "rangeUnsatisfiable" },
  { id: "at-end", range: "bytes=2048-", part: null, clause: "rangeUnsatisfiable" },
];

type Shared = (t: Trial) => Promise<Blob>;

function rangeCases(shared: Shared): Case[] {
  return rangeRows.map((row) => {
    const run = async (t: Trial): Promise<void> => {
      const blob = await shared(t);
      const answer = await getRange(t, blob, row.range);
      if (answer.status === 200) {
        expectBody(answer, blob.bytes);
        throw new Unsupported("The range is ignored: 200 with the whole blob");
      }
      if (row.part === null) expectStatus(answer, 416);
      else expectPart(answer, blob.bytes, row.part);
    };
    if (row.part === null) {
      return negative(row.id, `${row.range} of 2048 bytes is answered with 416`, row.clause, run);
    }
    const title = `${row.range} of 2048 bytes gives bytes ${row.part.join(" to ")}`;
    return positive(row.id, title, row.clause, run);
  });
}

function getRange(t: Trial, blob: Blob, range: string, more: HeaderLine[] = []): Promise<Exchange> {
  return t.client.blobGet(t.repository, blob.digest, { headers: [["Range", range], ...more] });
}

/** Checks a 206: the bytes, Content-Range with the total or `*`, and Content-Length. */
function expectPart(
  answer: Exchange,
  whole: Uint8Array,
  [first, last]: readonly [number, number],
): void {
  expectStatus(answer, 206);
  expectBody(answer, whole.subarray(first, last + 1));
  expectLength(answer, last - first + 1);
  const found = expectHeader(answer, "Content-Range");
  const fits =
    found === `bytes ${first}-${last}/${whole.length}` || found === `bytes ${first}-${last}/*`;
  expectThat(fits, `Expected Content-Range: bytes ${first}-${last}/${whole.length}, got ${found}`);
}

const plainBlob = once((t) => t.pushBlob(t.blob(blobBytes)));
const should = { level: "should" } as const;

const edgeCases: readonly Case[] = [
  negative(
    "416-names-length",
    "416 names the length of the blob in Content-Range",
    "rangeUnsatisfiable",
    async (t) => {
      const answer = await getRange(t, await plainBlob(t), "bytes=5000-");
      expectStatus(answer, 416);
      expectHeader(answer, "Content-Range", `bytes */${blobBytes}`);
    },
    should,
  ),
  negative(
    "suffix-zero",
    "bytes=-0 is answered with 416, or ignored",
    "rangeUnsatisfiable",
    async (t) => {
      const blob = await plainBlob(t);
      const answer = await getRange(t, blob, "bytes=-0");
      expectStatus(answer, [416, 200]);
      if (answer.status === 200) expectBody(answer, blob.bytes);
    },
    should,
  ),
  negative(
    "unknown-unit",
    "A range in an unknown unit is ignored",
    "rangeUnknownUnit",
    async (t) => {
      const blob = await plainBlob(t);
      const answer = await getRange(t, blob, "lines=0-10");
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
    },
    should,
  ),
  negative(
    "malformed",
    "A malformed range is ignored, or refused with 400 or 416",
    "rangeSingle",
    async (t) => {
      const blob = await plainBlob(t);
      const answer = await getRange(t, blob, "bytes=abc");
      expectStatus(answer, [200, 400, 416]);
      if (answer.status === 200) expectBody(answer, blob.bytes);
    },
    should,
  ),
  negative(
    "empty-blob",
    "Any range of the empty blob is answered with 416, or 200 and no bytes",
    "rangeUnsatisfiable",
    async (t) => {
      const maker = t.maker();
      const empty = await t.pushBlob(maker.blob(new Uint8Array(0)));
      const answer = await getRange(t, empty, "bytes=0-");
      expectStatus(answer, [416, 200]);
      if (answer.status === 200) expectBody(answer, empty.bytes);
    },
    should,
  ),
  positive(
    "head",
    "HEAD ignores Range: 200 with the whole length",
    "rangeOnHead",
    async (t) => {
      const blob = await plainBlob(t);
      const headers = [["Range", "bytes=0-9"]] as const;
      const answer = await t.client.blobHead(t.repository, blob.digest, { headers });
      expectStatus(answer, 200);
      expectLength(answer, blobBytes);
    },
    should,
  ),
  positive(
    "several",
    "Several ranges: the parts in order, or the whole blob, or 400",
    "rangeMultiple",
    async (t) => {
      const blob = await plainBlob(t);
      const answer = await getRange(t, blob, "bytes=0-9,100-199,2000-");
      if (answer.status === 200) expectBody(answer, blob.bytes);
      if (answer.status !== 206) return expectStatus(answer, [200, 206, 400]);
      expectMultipart(answer, blob.bytes, [
        [0, 9],
        [100, 199],
        [2000, 2047],
      ]);
    },
  ),
  positive("resume", "A pull that was cut can go on with bytes=N-", "blobRange", async (t) => {
    const blob = await t.pushBlob(t.blob(100_000));
    const first = await getRange(t, blob, "bytes=0-61439");
    expectStatus(first, 206, { unsupported: [200] });
    const rest = await getRange(t, blob, "bytes=61440-");
    expectStatus(rest, 206);
    const whole = Buffer.concat([first.body, rest.body]);
    if (digestOf("sha256", whole) !== blob.digest)
      throw new Wrong("The two parts are not the blob");
  }),
];

function expectMultipart(
  answer: Exchange,
  whole: Uint8Array,
  expected: readonly (readonly [number, number])[],
): void {
  const parts = parseMultipart(expectHeader(answer, "Content-Type"), answer.body);
  expectThat(parts !== null, "Expected a multipart/byteranges body with its boundary");
  const found = parts.map((part) => part.range);
  const wanted = expected.map(([first, last]) => `bytes ${first}-${last}/${whole.length}`);
  expectThat(
    found.join() === wanted.join(),
    `Expected parts ${wanted.join()}, got ${found.join()}`,
  );
  for (const [at, [first, last]] of expected.entries()) {
    const body = parts[at]?.body ?? new Uint8Array(0);
    if (Buffer.compare(body, whole.subarray(first, last + 1)) !== 0) {
      throw new Wrong(`Part ${at + 1} has other bytes than ${first} to ${last}`);
    }
  }
}

const conditionBlob = once((t) => t.pushBlob(t.blob(blobBytes)));
const tagged = async (t: Trial): Promise<{ blob: Blob; etag: string }> => {
  const blob = await conditionBlob(t);
  const etag = (await t.client.blobHead(t.repository, blob.digest)).headers.get("ETag");
  if (etag === null) throw new Unsupported("Blobs have no ETag");
  return { blob, etag };
};

const conditionCases: readonly Case[] = [
  positive(
    "if-none-match",
    "If-None-Match with the ETag is answered with 304 and no body",
    "ifNoneMatch",
    async (t) => {
      const { blob, etag } = await tagged(t);
      const headers = [["If-None-Match", etag]] as const;
      const answer = await t.client.blobGet(t.repository, blob.digest, { headers });
      expectStatus(answer, 304);
      expectNoBody(answer);
    },
    should,
  ),
  positive(
    "if-none-match-other",
    "If-None-Match with another ETag is answered with 200",
    "ifNoneMatch",
    async (t) => {
      const { blob } = await tagged(t);
      const headers = [["If-None-Match", '"another"']] as const;
      const answer = await t.client.blobGet(t.repository, blob.digest, { headers });
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
    },
  ),
  positive(
    "if-range",
    "If-Range with the ETag gives the part",
    "ifRange",
    async (t) => {
      const { blob, etag } = await tagged(t);
      const answer = await getRange(t, blob, "bytes=10-19", [["If-Range", etag]]);
      expectStatus(answer, 206, { unsupported: [200] });
      expectPart(answer, blob.bytes, [10, 19]);
    },
    should,
  ),
  positive(
    "if-range-other",
    "If-Range with another ETag gives the whole blob",
    "ifRange",
    async (t) => {
      const { blob } = await tagged(t);
      const answer = await getRange(t, blob, "bytes=10-19", [["If-Range", '"another"']]);
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
    },
    should,
  ),
];

const headerBlob = once((t) => t.pushBlob(t.blob(blobBytes)));

const headerCases: readonly Case[] = [
  positive(
    "type",
    "A blob is sent as application/octet-stream",
    "octetStream",
    async (t) => {
      const answer = await t.client.blobGet(t.repository, (await headerBlob(t)).digest);
      expectStatus(answer, 200);
      expectHeader(answer, "Content-Type", "application/octet-stream");
    },
    should,
  ),
  positive(
    "accept-ranges",
    "A blob says Accept-Ranges: bytes",
    "acceptRanges",
    async (t) => {
      const answer = await t.client.blobGet(t.repository, (await headerBlob(t)).digest);
      expectHeader(answer, "Accept-Ranges", "bytes");
    },
    should,
  ),
  positive(
    "no-coding",
    "A blob is not compressed on the way, whatever Accept-Encoding says",
    "contentCoding",
    async (t) => {
      const maker = t.maker();
      const text = Buffer.alloc(20_000, `${t.name("compress")} me `);
      const blob = await t.pushBlob(maker.blob(text));
      const headers = [["Accept-Encoding", "zstd, gzip, br, deflate"]] as const;
      const answer = await t.client.blobGet(t.repository, blob.digest, { headers });
      expectStatus(answer, 200);
      expectNoHeader(answer, "Content-Encoding");
      expectBody(answer, blob.bytes);
    },
  ),
  positive(
    "head-parity",
    "HEAD has the headers of GET",
    "headParity",
    async (t) => {
      const { digest } = await headerBlob(t);
      const get = await t.client.blobGet(t.repository, digest);
      const head = await t.client.blobHead(t.repository, digest);
      for (const name of ["Content-Length", "Docker-Content-Digest", "ETag", "Accept-Ranges"]) {
        const [ofGet, ofHead] = [get.headers.get(name), head.headers.get(name)];
        expectThat(
          ofGet === ofHead,
          `${name}: GET has ${ofGet ?? "none"}, HEAD ${ofHead ?? "none"}`,
        );
      }
    },
    should,
  ),
  positive("head-no-body", "HEAD sends nothing after its headers", "headParity", async (t) => {
    const { digest } = await headerBlob(t);
    expectNoBody(await t.client.blobHead(t.repository, digest, { readPastEnd: true }));
  }),
  positive(
    "encoded-colon",
    "The colon of a digest may be percent-encoded in the path",
    "blobGet",
    async (t) => {
      const blob = await headerBlob(t);
      const answer = await t.client.blobGet(t.repository, blob.digest.replace(":", "%3A"));
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
      expectDigest(answer, blob);
    },
    should,
  ),
  positive(
    "ns",
    "A query parameter ns is ignored by a registry that is no proxy",
    "blobGet",
    async (t) => {
      const blob = await headerBlob(t);
      const url = `/v2/${t.repository}/blobs/${blob.digest}?ns=registry.example.com`;
      const answer = await t.client.exchange({ method: "GET", url });
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
    },
    should,
  ),
  negative("isolation", "A blob of one repository is 404 in another", "blobMissing", async (t) => {
    const { digest } = await headerBlob(t);
    expectStatus(await t.client.blobHead(t.secondRepository, digest), 404);
    expectStatus(await t.client.blobGet(t.secondRepository, digest), 404);
  }),
];
