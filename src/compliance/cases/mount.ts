// Cases: mounting blobs from another repository, and what happens when that cannot be done.
import type { Exchange } from "../../client/exchange.ts";
import type { Algorithm } from "../../oci/digest.ts";
import type { Blob } from "../content.ts";
import { expectBody, expectLocation, expectStatus, expectThat } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario, type Version } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported, Wrong } from "../verdict.ts";
import { verifyPushed } from "./blob_steps.ts";
import { once } from "./once.ts";
import { blobLife } from "./push_blob.ts";

export function mountScenarios(): Scenario[] {
  return [
    ...(["sha256", "sha512"] as const).flatMap((algorithm) => [
      mounted(algorithm, "named", "1.0"),
      mounted(algorithm, "anonymous", "1.1"),
      missing(algorithm),
    ]),
    scenario("mount", "mount.edge", "Mounts at the edge", edgeCases),
  ];
}

function source(algorithm: Algorithm): (t: Trial) => Promise<Blob> {
  return once(async (t) => {
    if (t.facts.refusedAlgorithms.has(algorithm)) throw new Skipped(`${algorithm} is refused`);
    return t.pushBlob(t.blob(512, algorithm), t.secondRepository);
  });
}

function mount(
  t: Trial,
  digest: string,
  from: string | null,
  into = t.repository,
): Promise<Exchange> {
  const query: [string, string][] = [["mount", digest]];
  if (from !== null) query.push(["from", from]);
  return t.client.uploadStart(into, query);
}

/** A 202 means "not mounted": the client goes on with PUT, which has to work. */
async function fallBack(t: Trial, answer: Exchange, blob: Blob): Promise<never> {
  const put = await t.client.uploadPut(expectLocation(answer), blob.digest, { body: blob.bytes });
  await verifyPushed(t, put, blob);
  throw new Unsupported("The blob is not mounted: 202, and the client has to send it");
}

function mounted(algorithm: Algorithm, kind: "named" | "anonymous", since: Version): Scenario {
  const shared = source(algorithm);
  let blob: Blob;
  const from = (t: Trial): string | null => (kind === "named" ? t.secondRepository : null);
  const mountCase = positive(
    "mount",
    kind === "named"
      ? "A blob of another repository is mounted: 201, and its Location gives it back"
      : "A blob is mounted without saying from where: 201, and its Location gives it back",
    kind === "named" ? "mount" : "mountAnonymous",
    async (t) => {
      blob = await shared(t);
      const answer = await mount(t, blob.digest, from(t));
      if (answer.status === 202) await fallBack(t, answer, blob);
      expectStatus(answer, 201, { unsupported: [405] });
      await verifyPushed(t, answer, blob);
    },
    { since, level: kind === "named" ? "must" : "may" },
  );
  const life = blobLife(() => blob, "mount").map((row) => ({
    ...row,
    since: later(row.since, since),
  }));
  const stays = positive(
    "source-stays",
    "Deleting the mounted blob leaves the source alone",
    "deleteIsLocal",
    async (t) => {
      const answer = await t.client.blobGet(t.secondRepository, blob.digest);
      if (answer.status === 404) throw new Wrong("The blob is gone from the source repository");
      expectStatus(answer, 200);
      expectBody(answer, blob.bytes);
    },
    { since, after: ["delete"] },
  );
  const title = `A blob by ${algorithm}, mounted ${kind === "named" ? "from a named repository" : "from anywhere"}`;
  return scenario("mount", `mount.${algorithm}.${kind}`, title, [mountCase, ...life, stays]);
}

function later(a: Version, b: Version): Version {
  return a === "dev" || b === "dev" ? "dev" : a === "1.1" || b === "1.1" ? "1.1" : "1.0";
}

function missing(algorithm: Algorithm): Scenario {
  let blob: Blob;
  return scenario(
    "mount",
    `mount.${algorithm}.missing`,
    `A blob by ${algorithm} that the source lacks`,
    [
      negative(
        "mount",
        "The mount is answered with 202, and the session takes the blob",
        "mountFallback",
        async (t) => {
          if (t.facts.refusedAlgorithms.has(algorithm))
            throw new Skipped(`${algorithm} is refused`);
          blob = t.blob(512, algorithm);
          const answer = await mount(t, blob.digest, t.secondRepository);
          expectStatus(answer, 202);
          const location = expectLocation(answer);
          await verifyPushed(
            t,
            await t.client.uploadPut(location, blob.digest, { body: blob.bytes }),
            blob,
          );
        },
      ),
      ...blobLife(() => blob, "mount"),
    ],
  );
}

const edgeSource = source("sha256");
const should = { level: "should" } as const;

const edgeCases: readonly Case[] = [
  negative(
    "unknown-repository",
    "A mount from a repository that does not exist is answered with 202",
    "mountFallback",
    async (t) => {
      const answer = await mount(t, t.blob().digest, `${t.secondRepository}/never-${t.seed}`);
      expectStatus(answer, 202);
      expectLocation(answer);
    },
    should,
  ),
  positive(
    "same-repository",
    "A mount from the repository itself gives 201 or 202",
    "mount",
    async (t) => {
      const blob = await t.pushBlob(t.blob());
      expectStatus(await mount(t, blob.digest, t.repository), [201, 202]);
    },
  ),
  negative(
    "malformed-digest",
    "A mount of a malformed digest is answered with 400 or 202, never 201",
    "mountFallback",
    async (t) => {
      expectStatus(await mount(t, "sha256:baddigest", t.secondRepository), [400, 202], {
        unsupported: [404, 405],
      });
    },
  ),
  positive(
    "raw-parameters",
    "The parameters may come unencoded, as some clients send them",
    "mount",
    async (t) => {
      const { digest } = await edgeSource(t);
      const url = `/v2/${t.repository}/blobs/uploads/?mount=${digest}&from=${t.secondRepository}`;
      expectStatus(await t.client.exchange({ method: "POST", url }), 201, { unsupported: [202] });
    },
    should,
  ),
  positive("no-transfer", "What was mounted is readable at once", "mountLocation", async (t) => {
    const blob = await edgeSource(t);
    const answer = await mount(t, blob.digest, t.secondRepository);
    expectStatus(answer, 201, { unsupported: [202, 405] });
    expectBody(await t.client.blobGet(t.repository, blob.digest), blob.bytes);
  }),
  positive(
    "digest-header",
    "A mount names the digest of the blob",
    "mountLocation",
    async (t) => {
      const { digest } = await edgeSource(t);
      const answer = await mount(t, digest, t.secondRepository);
      expectStatus(answer, 201, { unsupported: [202, 405] });
      const found = answer.headers.get("Docker-Content-Digest");
      expectThat(
        found === digest,
        `Expected Docker-Content-Digest: ${digest}, got ${found ?? "none"}`,
      );
    },
    should,
  ),
  negative(
    "source-deleted",
    "What was mounted stays when the source is deleted",
    "deleteIsLocal",
    async (t) => {
      const blob = await t.pushBlob(t.blob(), t.secondRepository);
      const answer = await mount(t, blob.digest, t.secondRepository);
      expectStatus(answer, 201, { unsupported: [202, 405] });
      const deleted = await t.client.blobDelete(t.secondRepository, blob.digest);
      expectStatus(deleted, 202, { unsupported: [400, 405] });
      const pulled = await t.client.blobGet(t.repository, blob.digest);
      if (pulled.status === 404) throw new Wrong("The mounted blob is gone with its source");
      expectBody(pulled, blob.bytes);
    },
  ),
];
