// Cases: upload sessions from opening to closing, cancelling, and everything that may go wrong between.
import { randomUUID } from "node:crypto";
import { formatAddress, withQuery } from "../../client/registry_url.ts";
import { digestOf } from "../../oci/digest.ts";
import { expectHeader, expectLocation, expectNoBody, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped } from "../verdict.ts";
import { expectUploadRange, openSession, patchChunk, verifyPushed } from "./blob_steps.ts";

export function uploadScenarios(): Scenario[] {
  return [
    scenario("upload", "upload.start", "Opening a session", startCases),
    scenario("upload", "upload.status", "Asking a session where it stands", statusCases),
    scenario("upload", "upload.unknown", "Sessions that do not exist", unknownCases),
    scenario("upload", "upload.close", "Closing a session", closeCases),
    scenario("upload", "upload.cancel", "Cancelling a session", cancelCases()),
    scenario("upload", "upload.algorithm", "Announcing the digest algorithm", algorithmCases),
  ];
}

const should = { level: "should" } as const;

const startCases: readonly Case[] = [
  positive("location", "POST opens a session: 202 with a Location", "uploadStart", async (t) => {
    await openSession(t);
  }),
  positive("unique", "Every session has a Location of its own", "uploadId", async (t) => {
    const first = formatAddress(await openSession(t));
    const second = formatAddress(await openSession(t));
    expectThat(first !== second, "Two sessions have the same Location");
  }),
  positive(
    "path",
    "The Location is under /v2/<name>/blobs/uploads/, as clients that cache logins expect",
    "uploadId",
    async (t) => {
      const { target } = await openSession(t);
      const shape = new RegExp(`/v2/${t.repository}/blobs/uploads/[^/?]+/?(\\?|$)`);
      expectThat(shape.test(target), `Expected /v2/<name>/blobs/uploads/<id>, got ${target}`);
    },
    { level: "should" },
  ),
  positive(
    "range-header",
    "The answer has Range: 0-0 and Docker-Upload-UUID, which older clients read",
    "uploadStart",
    async (t) => {
      const start = await t.client.uploadStart(t.repository);
      expectStatus(start, 202);
      expectHeader(start, "Range", "0-0");
      expectHeader(start, "Docker-Upload-UUID");
    },
    { level: "should" },
  ),
  positive(
    "any-content-type",
    "POST with Content-Type: application/json and no body opens a session",
    "uploadStart",
    async (t) => {
      const headers = [["Content-Type", "application/json"]] as const;
      expectStatus(await t.client.uploadStart(t.repository, [], { headers }), 202);
    },
    { level: "should" },
  ),
  positive(
    "no-slash",
    "POST to /blobs/uploads without a slash at the end opens a session",
    "uploadStart",
    async (t) => {
      const url = `/v2/${t.repository}/blobs/uploads`;
      expectStatus(await t.client.exchange({ method: "POST", url }), 202);
    },
    { level: "may" },
  ),
  positive(
    "chunk-minimum",
    "A minimum chunk size, if announced, is a number of bytes",
    "chunkMinimum",
    async (t) => {
      const start = await t.client.uploadStart(t.repository);
      expectStatus(start, 202);
      const minimum = start.headers.get("OCI-Chunk-Min-Length");
      if (minimum === null) throw new Skipped("No minimum is announced");
      expectThat(/^\d+$/.test(minimum), `Expected a number, got ${minimum}`);
    },
  ),
];

const statusCases: readonly Case[] = [
  positive("fresh", "A fresh session: 204 with Location and Range", "uploadStatus", async (t) => {
    const answer = await t.client.uploadStatus(await openSession(t));
    expectStatus(answer, 204);
    expectLocation(answer);
    expectUploadRange(answer, 0);
    expectNoBody(answer);
  }),
  positive("after-chunk", "After 300 bytes: Range: 0-299", "uploadStatusRange", async (t) => {
    const next = await patchChunk(t, await openSession(t), t.blob(300).bytes);
    const answer = await t.client.uploadStatus(next);
    expectStatus(answer, 204);
    expectUploadRange(answer, 300);
  }),
  positive(
    "two-streams",
    "A second PATCH without Content-Range goes on where the first ended",
    "uploadStream",
    async (t) => {
      const blob = t.blob(700);
      const first = { body: blob.bytes.subarray(0, 400) };
      const patched = await t.client.uploadPatch(await openSession(t), first);
      expectStatus(patched, 202);
      const second = { body: blob.bytes.subarray(400) };
      const again = await t.client.uploadPatch(expectLocation(patched), second);
      expectStatus(again, 202);
      expectUploadRange(again, 700);
      await verifyPushed(t, await t.client.uploadPut(expectLocation(again), blob.digest), blob);
    },
    { level: "should" },
  ),
  positive(
    "older-location",
    "The Location of an earlier answer still leads to the session",
    "uploadStatusAnyLocation",
    async (t) => {
      const first = await openSession(t);
      await patchChunk(t, first, t.blob(100).bytes);
      const answer = await t.client.uploadStatus(first);
      expectStatus(answer, 204);
      expectUploadRange(answer, 100);
    },
  ),
  positive(
    "extra-query",
    "Query parameters that mean nothing here are ignored",
    "uploadStatus",
    async (t) => {
      const location = await openSession(t);
      const target = withQuery(location.target, [["digest", t.blob().digest]]);
      expectStatus(await t.client.uploadStatus({ ...location, target }), 204);
    },
  ),
];

/** The address of a session that was never opened. */
function unknownSession(t: Trial): { origin: typeof t.client.exchanger.origin; target: string } {
  return t.client.exchanger.resolve(`/v2/${t.repository}/blobs/uploads/${randomUUID()}`);
}

const unknownCases: readonly Case[] = [
  negative(
    "status",
    "GET is answered with 404",
    "end13",
    async (t) => {
      expectStatus(await t.client.uploadStatus(unknownSession(t)), 404);
    },
    should,
  ),
  negative(
    "patch",
    "PATCH is answered with 404",
    "end5",
    async (t) => {
      const { bytes } = t.blob();
      expectStatus(await t.client.uploadPatch(unknownSession(t), { body: bytes }), 404);
    },
    should,
  ),
  negative("put", "PUT is answered with 404 or 400, and stores nothing", "end6", async (t) => {
    const blob = t.blob();
    const answer = await t.client.uploadPut(unknownSession(t), blob.digest, { body: blob.bytes });
    expectStatus(answer, [404, 400]);
    expectStatus(await t.client.blobHead(t.repository, blob.digest), 404);
  }),
  negative(
    "delete",
    "DELETE is answered with 404 or 400",
    "end14",
    async (t) => {
      const answer = await t.client.uploadCancel(unknownSession(t));
      expectStatus(answer, [404, 400], { unsupported: [405] });
    },
    { since: "dev" },
  ),
  negative(
    "other-repository",
    "A session of one repository is 404 in another",
    "sessionSafety",
    async (t) => {
      const location = await openSession(t);
      const target = location.target.replace(`/v2/${t.repository}/`, `/v2/${t.secondRepository}/`);
      if (target === location.target)
        throw new Skipped("The Location does not name the repository");
      expectStatus(await t.client.uploadStatus({ ...location, target }), [404, 400]);
      const { bytes } = t.blob();
      expectStatus(
        await t.client.uploadPatch({ ...location, target }, { body: bytes }),
        [404, 400],
      );
    },
    { level: "should" },
  ),
];

const closeCases: readonly Case[] = [
  negative(
    "no-digest",
    "PUT without a digest is refused with 400",
    "chunkCloseDigest",
    async (t) => {
      const location = await openSession(t);
      const body = t.blob().bytes;
      expectStatus(await t.client.exchange({ method: "PUT", url: location, body }), 400);
    },
  ),
  negative(
    "malformed-digest",
    "PUT with a malformed digest is refused with 400",
    "badBlobDigest",
    async (t) => {
      const location = await openSession(t);
      const answer = await t.client.uploadPut(location, "sha256:baddigest", {
        body: t.blob().bytes,
      });
      expectStatus(answer, 400);
    },
  ),
  negative(
    "unknown-algorithm",
    "PUT with a digest by an unknown algorithm is refused with 400",
    "badBlobDigest",
    async (t) => {
      const location = await openSession(t);
      const digest = `md5:${"0".repeat(32)}`;
      expectStatus(await t.client.uploadPut(location, digest, { body: t.blob().bytes }), 400);
    },
  ),
  negative(
    "keeps-session",
    "After a PUT without a digest the session can still be closed",
    "uploadResume",
    async (t) => {
      const blob = t.blob();
      const next = await patchChunk(t, await openSession(t), blob.bytes);
      expectStatus(await t.client.exchange({ method: "PUT", url: next }), 400);
      expectStatus(await t.client.uploadPut(next, blob.digest), 201);
    },
    { level: "should" },
  ),
  negative(
    "session-ends",
    "After the closing PUT the session is gone",
    "end13",
    async (t) => {
      const blob = t.blob();
      const location = await openSession(t);
      expectStatus(await t.client.uploadPut(location, blob.digest, { body: blob.bytes }), 201);
      expectStatus(await t.client.uploadStatus(location), 404);
    },
    should,
  ),
  positive("push-again", "A blob that exists can be pushed again", "uploadPut", async (t) => {
    const blob = await t.pushBlob(t.blob());
    const again = await t.client.uploadPut(await openSession(t), blob.digest, {
      body: blob.bytes,
    });
    await verifyPushed(t, again, blob);
  }),
  positive(
    "query-order",
    "The Location's own parameters may come in any order, re-encoded",
    "uploadPut",
    async (t) => {
      const blob = t.blob();
      const { origin, target } = await openSession(t);
      const [path = "", query = ""] = target.split("?", 2);
      const parameters = new URLSearchParams(query);
      parameters.set("digest", blob.digest);
      parameters.sort();
      const url = { origin, target: `${path}?${parameters.toString()}` };
      const done = await t.client.exchange({ method: "PUT", url, body: blob.bytes });
      await verifyPushed(t, done, blob);
    },
    { level: "should" },
  ),
  positive(
    "no-content-type",
    "PATCH and PUT without a Content-Type are accepted",
    "uploadPut",
    async (t) => {
      const blob = t.blob();
      const url = await openSession(t);
      const patched = await t.client.exchange({ method: "PATCH", url, body: blob.bytes });
      expectStatus(patched, 202);
      await verifyPushed(t, await t.client.uploadPut(expectLocation(patched), blob.digest), blob);
    },
    { level: "should" },
  ),
  positive(
    "single-post-empty",
    "The empty blob can be pushed with one POST",
    "singlePost",
    async (t) => {
      const bytes = new Uint8Array(0);
      const digest = digestOf("sha256", bytes);
      const answer = await t.client.uploadPost(t.repository, digest, bytes);
      expectStatus(answer, 201, { unsupported: [202, 405] });
      expectLocation(answer);
    },
    { level: "should" },
  ),
  negative(
    "mismatch-then",
    "After a wrong digest the session is gone or can be closed rightly, and nothing wrong is stored",
    "uploadResume",
    async (t) => {
      const blob = t.blob();
      const wrong = t.blob();
      const location = await patchChunk(t, await openSession(t), blob.bytes);
      expectStatus(await t.client.uploadPut(location, wrong.digest), 400);
      const again = await t.client.uploadPut(location, blob.digest);
      if (again.status === 201) await verifyPushed(t, again, blob);
      else expectStatus(again, [404, 400]);
      expectStatus(await t.client.blobHead(t.repository, wrong.digest), 404);
    },
    { level: "should" },
  ),
];

function cancelCases(): Case[] {
  const dev = { since: "dev" } as const;
  return [
    positive(
      "delete",
      "DELETE of an open session is answered with 204",
      "uploadCancel",
      async (t) => {
        const answer = await t.client.uploadCancel(await openSession(t));
        expectStatus(answer, 204, { unsupported: [405, 400, 404] });
        expectNoBody(answer);
      },
      dev,
    ),
    negative(
      "then-status",
      "After that the session is 404",
      "end13",
      async (t) => {
        const location = await openSession(t);
        expectStatus(await t.client.uploadCancel(location), 204);
        expectStatus(await t.client.uploadStatus(location), 404);
      },
      { ...dev, level: "should", after: ["delete"] },
    ),
    negative(
      "then-put",
      "After that PUT is refused and nothing is stored",
      "end6",
      async (t) => {
        const blob = t.blob();
        const next = await patchChunk(t, await openSession(t), blob.bytes);
        expectStatus(await t.client.uploadCancel(next), 204);
        const put = await t.client.uploadPut(next, blob.digest);
        if (put.status < 400) throw new Broken(`PUT on a cancelled session answered ${put.status}`);
        expectStatus(await t.client.blobHead(t.repository, blob.digest), 404);
      },
      { ...dev, after: ["delete"] },
    ),
  ];
}

const algorithmCases: readonly Case[] = [
  positive(
    "sha512",
    "digest-algorithm=sha512 opens a session that takes a blob by sha512",
    "digestAlgorithm",
    async (t) => {
      const blob = t.blob(512, "sha512");
      const start = await t.client.uploadStart(t.repository, [["digest-algorithm", "sha512"]]);
      expectStatus(start, 202);
      const next = await patchChunk(t, expectLocation(start), blob.bytes);
      await verifyPushed(t, await t.client.uploadPut(next, blob.digest), blob);
    },
    { since: "dev" },
  ),
  negative(
    "other-than-announced",
    "A digest by another algorithm than announced is verified or refused, never believed",
    "badBlobDigest",
    async (t) => {
      const blob = t.blob();
      const wrong = t.blob();
      const start = await t.client.uploadStart(t.repository, [["digest-algorithm", "sha512"]]);
      expectStatus(start, 202);
      const location = expectLocation(start);
      expectStatus(await t.client.uploadPut(location, wrong.digest, { body: blob.bytes }), 400);
      expectStatus(await t.client.blobHead(t.repository, wrong.digest), 404);
    },
    { since: "dev" },
  ),
  negative(
    "unknown",
    "An unknown digest-algorithm is refused with 400",
    "badBlobDigest",
    async (t) => {
      const start = await t.client.uploadStart(t.repository, [["digest-algorithm", "sha0815"]]);
      expectStatus(start, 400);
    },
    { since: "dev", level: "should" },
  ),
];
