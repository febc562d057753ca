// Cases: is it a registry, and what does it say about repositories that do not exist.
import { mediaTypes } from "../../oci/media_types.ts";
import {
  expectHeader,
  expectJson,
  expectNoBody,
  expectStatus,
  expectThat,
  expectType,
} from "../expect.ts";
import { negative, positive, readingScenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";

export function baseScenarios(): Scenario[] {
  return [ping(), emptyRepository()];
}

function ping(): Scenario {
  return readingScenario("ping", "ping", "The base of the API", [
    positive("status", "GET /v2/ is answered with 200", "ping", async (t) => {
      expectStatus(await t.client.ping(), 200);
    }),
    positive(
      "body",
      "GET /v2/ has a JSON body, or none",
      "jsonType",
      async (t) => {
        const answer = await t.client.ping();
        if (answer.bodyBytes === 0) return;
        const type = expectHeader(answer, "Content-Type");
        expectThat(/^application\/json\b/.test(type), `Expected application/json, got ${type}`);
        expectJson(answer);
      },
      { level: "should" },
    ),
    positive(
      "version-header",
      "GET /v2/ names the API version",
      "apiVersionHeader",
      async (t) => {
        const answer = await t.client.ping();
        expectHeader(answer, "Docker-Distribution-Api-Version", "registry/2.0");
      },
      { level: "should" },
    ),
    positive(
      "head",
      "HEAD /v2/ is answered with 200 and without a body",
      "headRequired",
      async (t) => {
        const answer = await t.client.exchange({ method: "HEAD", url: "/v2/", readPastEnd: true });
        expectStatus(answer, 200);
        expectNoBody(answer);
      },
      { level: "should" },
    ),
    positive(
      "no-slash",
      "GET /v2 leads to the same answer as GET /v2/",
      "redirects",
      async (t) => {
        expectStatus(await t.client.exchange({ method: "GET", url: "/v2" }), 200);
      },
      { level: "should" },
    ),
  ]);
}

const absent = (t: Trial): string => `${t.repository}/never-${t.seed}`;
const zeroDigest = `sha256:${"0".repeat(64)}`;

function emptyRepository(): Scenario {
  return readingScenario("empty", "empty", "A repository that was never pushed to", [
    negative("tags", "Its tag list is 404, or 200 with a JSON list", "end8", async (t) => {
      const answer = await t.client.tagsList(absent(t));
      expectStatus(answer, [200, 404]);
      if (answer.status === 200)
        expectThat("tags" in expectJson(answer), "Expected a member `tags`");
    }),
    negative(
      "manifest-by-tag",
      "Pulling a tag from it is answered with 404",
      "repositoryMissing",
      async (t) => {
        expectStatus(await t.client.manifestGet(absent(t), "latest"), 404);
      },
    ),
    negative(
      "manifest-by-digest",
      "Pulling a digest from it is answered with 404",
      "repositoryMissing",
      async (t) => {
        expectStatus(await t.client.manifestGet(absent(t), zeroDigest), 404);
      },
    ),
    negative(
      "manifest-head",
      "HEAD of a manifest in it is answered with 404",
      "headMissing",
      async (t) => {
        expectStatus(await t.client.manifestHead(absent(t), "latest"), 404);
      },
    ),
    negative("blob", "Pulling a blob from it is answered with 404", "blobMissing", async (t) => {
      expectStatus(await t.client.blobGet(absent(t), zeroDigest), 404);
    }),
    negative("blob-head", "HEAD of a blob in it is answered with 404", "headMissing", async (t) => {
      expectStatus(await t.client.blobHead(absent(t), zeroDigest), 404);
    }),
    positive(
      "referrers",
      "Its referrers are an empty index, not 404",
      "referrersNever404",
      async (t) => {
        const answer = await t.client.referrers(absent(t), zeroDigest);
        expectStatus(answer, 200);
        expectType(answer, mediaTypes.ociIndex);
        const index = expectJson(answer);
        expectThat(index["schemaVersion"] === 2, "Expected schemaVersion 2");
        expectThat(
          index["mediaType"] === mediaTypes.ociIndex,
          "Expected the mediaType of an index",
        );
        const { manifests } = index;
        expectThat(
          Array.isArray(manifests) && manifests.length === 0,
          "Expected an empty `manifests`",
        );
      },
      { since: "1.1" },
    ),
  ]);
}
