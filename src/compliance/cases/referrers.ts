// Cases: referrers beyond the data sets: bad requests, filters, repetition, deletion, isolation.
import type { Exchange } from "../../client/exchange.ts";
import { isJsonObject } from "../../lib/strict_json.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { emptyJson, exampleTypes, type ManifestContent, plainDescriptor } from "../content.ts";
import {
  expectHeader,
  expectJson,
  expectStatus,
  expectThat,
  expectType,
  expectPushed,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported } from "../verdict.ts";
import { listReferrers } from "./data_set_referrers.ts";
import { once } from "./once.ts";

const since = { since: "1.1" } as const;
const should = { since: "1.1", level: "should" } as const;

export function referrersScenarios(): Scenario[] {
  return [
    scenario("referrers", "referrers.request", "Asking for referrers", requestCases),
    scenario("referrers", "referrers.push", "Manifests that refer", pushCases),
    scenario("referrers", "referrers.life", "Lists of referrers over time", lifeCases),
  ];
}

/** Pushes an artifact that refers to `subject`. */
async function pushReferrer(
  t: Trial,
  subject: Descriptor,
  artifactType: string = exampleTypes.one,
): Promise<ManifestContent> {
  const maker = t.maker();
  const made = maker.image({
    artifactType,
    configType: mediaTypes.ociEmpty,
    configBytes: emptyJson,
    layerCount: 1,
    subject,
    annotations: { run: t.name("run") },
  });
  for (const blob of maker.blobs.values()) await t.pushBlob(blob);
  return t.pushManifest(made);
}

const subjectOf = async (t: Trial): Promise<Descriptor> => {
  await t.requireReferrers();
  return plainDescriptor(await t.pushImage());
};

const malformed: readonly [id: string, digest: string][] = [
  ["malformed", "sha256:baddigest"],
  ["tag", "latest"],
  ["no-hex", `sha256:${"z".repeat(64)}`],
];

const requestCases: readonly Case[] = [
  ...malformed.map(([id, digest]) =>
    negative(
      id,
      `Referrers of ${digest.slice(0, 20)} are refused with 400`,
      "referrersInvalid",
      async (t) => {
        await subjectOf(t);
        expectStatus(await t.client.referrers(t.repository, digest), 400);
      },
      since,
    ),
  ),
  positive(
    "none",
    "A manifest without referrers has an empty list",
    "referrersNone",
    async (t) => {
      const subject = await subjectOf(t);
      const answer = await t.client.referrers(t.repository, subject.digest);
      expectEmpty(answer);
    },
    since,
  ),
  positive(
    "unknown-subject",
    "A digest that is not there has an empty list, not 404",
    "referrersNever404",
    async (t) => {
      await subjectOf(t);
      expectEmpty(await t.client.referrers(t.repository, t.blob().digest));
    },
    since,
  ),
  positive(
    "filter-none",
    "A filter without a match gives an empty list, and says that it was applied",
    "referrersFilterHeader",
    async (t) => {
      const subject = await subjectOf(t);
      await pushReferrer(t, subject);
      const query = [["artifactType", "application/vnd.example.none"]] as const;
      const answer = await t.client.referrers(t.repository, subject.digest, query);
      expectStatus(answer, 200);
      if (!answer.headers.has("OCI-Filters-Applied"))
        throw new Unsupported("Filters are not applied");
      expectEmpty(answer);
    },
    should,
  ),
  positive(
    "filter-twice",
    "artifactType given twice gives the referrers of both types, or of one",
    "referrersFilter",
    async (t) => {
      const subject = await subjectOf(t);
      const one = await pushReferrer(t, subject, exampleTypes.one);
      const two = await pushReferrer(t, subject, exampleTypes.two);
      const query = [
        ["artifactType", exampleTypes.one],
        ["artifactType", exampleTypes.two],
      ] as const;
      const answer = await t.client.referrers(t.repository, subject.digest, query);
      expectStatus(answer, 200);
      const found = digestsOf(answer);
      expectThat(
        found.includes(one.digest) || found.includes(two.digest),
        "Expected referrers of the types",
      );
    },
    should,
  ),
  positive(
    "filter-plus",
    "A + in the artifact type is understood as %2B",
    "referrersFilter",
    async (t) => {
      const subject = await subjectOf(t);
      const made = await pushReferrer(t, subject, "application/vnd.example.plus+json");
      const found = await listReferrers(t, subject.digest, "application/vnd.example.plus+json");
      expectThat(
        found.some((entry) => entry["digest"] === made.digest),
        "Expected the referrer in the filtered list",
      );
    },
    should,
  ),
  positive(
    "no-filter-header",
    "Without a filter there is no OCI-Filters-Applied",
    "referrersFilterHeader",
    async (t) => {
      const answer = await t.client.referrers(t.repository, (await subjectOf(t)).digest);
      expectThat(
        !answer.headers.has("OCI-Filters-Applied"),
        "Expected no OCI-Filters-Applied header",
      );
    },
    since,
  ),
];

function expectEmpty(answer: Exchange): void {
  expectStatus(answer, 200);
  expectType(answer, mediaTypes.ociIndex);
  const { manifests } = expectJson(answer);
  expectThat(Array.isArray(manifests) && manifests.length === 0, "Expected an empty `manifests`");
}

function digestsOf(answer: Exchange): unknown[] {
  const { manifests } = expectJson(answer);
  return Array.isArray(manifests)
    ? manifests.filter(isJsonObject).map((entry) => entry["digest"])
    : [];
}

const pushCases: readonly Case[] = [
  positive(
    "header",
    "The push of a referrer is answered with OCI-Subject",
    "subjectHeader",
    async (t) => {
      const subject = await subjectOf(t);
      const maker = t.maker();
      const made = maker.image({ layerCount: 0, subject });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      const { mediaType, bytes, digest } = made;
      const answer = await t.client.manifestPut(t.repository, digest, { mediaType, body: bytes });
      expectStatus(answer, 201);
      expectHeader(answer, "OCI-Subject", subject.digest);
      const again = await t.client.manifestPut(t.repository, digest, { mediaType, body: bytes });
      expectHeader(again, "OCI-Subject", subject.digest);
    },
    since,
  ),
  positive(
    "index-header",
    "The push of an index that refers is answered with OCI-Subject",
    "subjectHeader",
    async (t) => {
      const subject = await subjectOf(t);
      const { mediaType, bytes, digest } = t
        .maker()
        .index([], { subject, annotations: { run: t.name("run") } });
      const answer = await t.client.manifestPut(t.repository, digest, { mediaType, body: bytes });
      expectStatus(answer, 201);
      expectHeader(answer, "OCI-Subject", subject.digest);
    },
    since,
  ),
  negative(
    "no-header",
    "The push of a manifest that does not refer has no OCI-Subject",
    "subjectHeader",
    async (t) => {
      const maker = t.maker();
      const { mediaType, bytes, digest } = maker.image({ layerCount: 0 });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      const answer = await t.client.manifestPut(t.repository, digest, { mediaType, body: bytes });
      expectStatus(answer, 201);
      expectThat(!answer.headers.has("OCI-Subject"), "Expected no OCI-Subject header");
    },
    since,
  ),
  positive(
    "config-type",
    "Without artifactType an image is listed with the media type of its config",
    "referrersConfigType",
    async (t) => {
      const subject = await subjectOf(t);
      const maker = t.maker();
      const made = maker.image({ layerCount: 0, subject, configType: exampleTypes.two });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      await t.pushManifest(made);
      const [entry] = await listReferrers(t, subject.digest, null);
      expectThat(
        entry?.["artifactType"] === exampleTypes.two,
        `Expected artifactType ${exampleTypes.two}, got ${String(entry?.["artifactType"])}`,
      );
    },
    since,
  ),
  positive(
    "index-type",
    "Without artifactType an index is listed without one",
    "referrersIndexType",
    async (t) => {
      const subject = await subjectOf(t);
      await t.pushManifest(t.maker().index([], { subject, annotations: { run: t.name("run") } }));
      const [entry] = await listReferrers(t, subject.digest, null);
      expectThat(entry !== undefined, "Expected the index in the list");
      expectThat(
        entry["artifactType"] === undefined,
        `Expected no artifactType, got ${String(entry["artifactType"])}`,
      );
    },
    since,
  ),
  positive(
    "by-tag",
    "A referrer that is pushed by tag is listed too",
    "referrersEntries",
    async (t) => {
      const subject = await subjectOf(t);
      const maker = t.maker();
      const made = maker.image({ layerCount: 0, subject });
      for (const blob of maker.blobs.values()) await t.pushBlob(blob);
      await t.pushManifest(made, t.name("referrer"));
      const found = await listReferrers(t, subject.digest, null);
      expectThat(
        found.some((entry) => entry["digest"] === made.digest),
        "Expected the referrer in the list",
      );
    },
    since,
  ),
];

const lifeOf = once(async (t) => {
  const subject = await subjectOf(t);
  return { subject, made: await pushReferrer(t, subject) };
});
/** How often the referrer of `lifeOf` is listed. */
const listed = async (t: Trial): Promise<number> => {
  const { subject, made } = await lifeOf(t);
  const found = await listReferrers(t, subject.digest, null);
  return found.filter((entry) => entry["digest"] === made.digest).length;
};

const lifeCases: readonly Case[] = [
  positive(
    "listed",
    "A referrer is listed as soon as it is pushed",
    "referrersEntries",
    async (t) => {
      expectThat((await listed(t)) === 1, "Expected the referrer in the list");
    },
    since,
  ),
  positive(
    "again",
    "Pushed again it is listed once",
    "referrersEntries",
    async (t) => {
      await expectPushed(t.pushManifest((await lifeOf(t)).made));
      expectThat((await listed(t)) === 1, "Expected the referrer once in the list");
    },
    { ...since, after: ["listed"] },
  ),
  negative(
    "isolation",
    "It is not listed in another repository",
    "referrersEntries",
    async (t) => {
      const { subject } = await lifeOf(t);
      const found = await listReferrers(t, subject.digest, null, t.secondRepository);
      expectThat(found.length === 0, "Expected an empty list in the other repository");
    },
    { ...since, after: ["listed"] },
  ),
  positive(
    "many",
    "Fifty referrers are all listed, over pages if need be",
    "referrersLink",
    async (t) => {
      const subject = await subjectOf(t);
      const config = await t.pushBlob(t.maker().blob(emptyJson));
      const wanted = new Set<string>();
      for (let n = 0; n < 50; n++) {
        const members = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociImage,
          artifactType: exampleTypes.one,
          config: { mediaType: mediaTypes.ociEmpty, digest: config.digest, size: 2 },
          layers: [],
          subject,
          annotations: { n: String(n), run: t.seed },
        };
        wanted.add((await t.pushManifest(t.maker().manifest(members, mediaTypes.ociImage))).digest);
      }
      const found = await listReferrers(t, subject.digest, null);
      const digests = new Set(found.map((entry) => String(entry["digest"])));
      expectThat(found.length === digests.size, "A referrer is listed twice");
      const missing = [...wanted].filter((digest) => !digests.has(digest));
      expectThat(missing.length === 0, `${missing.length} of 50 referrers are not listed`);
    },
    { ...since, after: ["listed"] },
  ),
  negative(
    "deleted",
    "A referrer that is deleted is gone from the list",
    "referrersEntries",
    async (t) => {
      const { made } = await lifeOf(t);
      const answer = await t.client.manifestDelete(t.repository, made.digest);
      expectStatus(answer, 202, { unsupported: [400, 405] });
      expectThat((await listed(t)) === 0, "Expected the deleted referrer to be gone from the list");
    },
    { ...since, after: ["listed"] },
  ),
  positive(
    "subject-deleted",
    "Referrers stay listed when their subject is deleted",
    "referrersEntries",
    async (t) => {
      const subject = await subjectOf(t);
      const made = await pushReferrer(t, subject);
      const answer = await t.client.manifestDelete(t.repository, subject.digest);
      if (answer.status !== 202)
        throw new Skipped(`The subject cannot be deleted: ${answer.status}`);
      const found = await listReferrers(t, subject.digest, null);
      expectThat(
        found.some((entry) => entry["digest"] === made.digest),
        "Expected the referrer in the list",
      );
    },
    { ...should, after: ["listed"] },
  ),
];
