// Cases: chunks out of order. The session must refuse them with 416, survive, and tell where it stands.
//
// The walk: too far ahead, first chunk, too far ahead again (as PATCH or as the closing PUT), second
// chunk, back to the start, last chunk. Each refusal is followed by asking for the status.
import type { Algorithm } from "../../oci/digest.ts";
import type { Address } from "../../client/registry_url.ts";
import type { Blob } from "../content.ts";
import { expectLocation, expectStatus } from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped } from "../verdict.ts";
import { chunkSize, expectUploadRange, openSession, verifyPushed } from "./blob_steps.ts";
import { blobLife } from "./push_blob.ts";

/** The walk's session: where to send next, and what. */
class Walk {
  location: Address | null = null;
  blob: Blob | null = null;
  size = 0;
  readonly algorithm: Algorithm;
  readonly lastInPut: boolean;

  constructor(algorithm: Algorithm, lastInPut: boolean) {
    this.algorithm = algorithm;
    this.lastInPut = lastInPut;
  }

  async open(t: Trial): Promise<void> {
    if (t.facts.refusedAlgorithms.has(this.algorithm)) {
      throw new Skipped(`Digests of ${this.algorithm} are refused`);
    }
    this.location = await openSession(t);
    this.size = chunkSize(t);
    const maker = t.maker(this.algorithm);
    this.blob = maker.blob(maker.noise(3 * this.size - 5));
  }

  get content(): Blob {
    if (this.blob === null) throw new Skipped("The session was not opened");
    return this.blob;
  }

  get at(): Address {
    if (this.location === null) throw new Skipped("The session was not opened");
    return this.location;
  }

  /** The bytes and the range of the n-th chunk, from 0. */
  chunk(n: number): { body: Uint8Array; range: string } {
    const { bytes } = this.content;
    const start = n * this.size;
    const end = Math.min(start + this.size, bytes.length);
    return { body: bytes.subarray(start, end), range: `${start}-${end - 1}` };
  }

  async refused(t: Trial, n: number): Promise<void> {
    expectStatus(await t.client.uploadPatch(this.at, this.chunk(n)), 416);
  }

  async accepted(t: Trial, n: number): Promise<void> {
    const answer = await t.client.uploadPatch(this.at, this.chunk(n));
    expectStatus(answer, 202);
    expectUploadRange(answer, Math.min((n + 1) * this.size, this.content.bytes.length));
    this.location = expectLocation(answer);
  }

  async status(t: Trial, chunks: number): Promise<void> {
    const answer = await t.client.uploadStatus(this.at);
    expectStatus(answer, 204);
    expectUploadRange(answer, chunks * this.size);
    this.location = expectLocation(answer);
  }
}

export function uploadOrderScenarios(): Scenario[] {
  return (["sha256", "sha512"] as const).flatMap((algorithm) => [
    order(algorithm, false),
    order(algorithm, true),
  ]);
}

function order(algorithm: Algorithm, lastInPut: boolean): Scenario {
  const walk = new Walk(algorithm, lastInPut);
  const id = `upload.order.${algorithm}.${lastInPut ? "put" : "patch"}`;
  const title = `Chunks out of order, ${algorithm}, ${lastInPut ? "closed with the last chunk" : "all in PATCH"}`;
  return scenario("upload", id, title, [
    ...walkCases(walk),
    ...blobLife(() => walk.content, "finish"),
  ]);
}

/** What is refused after the first chunk: one that leaves a gap, as PATCH or as the closing PUT. */
function skipAheadCase(walk: Walk): Case {
  return walk.lastInPut
    ? negative(
        "skip-ahead",
        "A closing PUT that leaves a gap is refused with 416, before its digest is looked at",
        "chunkLastOrder",
        async (t) => {
          const { digest } = walk.content;
          expectStatus(await t.client.uploadPut(walk.at, digest, walk.chunk(2)), 416);
        },
        { after: ["first"] },
      )
    : negative(
        "skip-ahead",
        "A chunk that leaves a gap is refused with 416",
        "chunkOrder",
        (t) => walk.refused(t, 2),
        { after: ["first"] },
      );
}

function walkCases(walk: Walk): Case[] {
  return [
    negative(
      "ahead",
      "A first chunk that does not start at 0 is refused with 416",
      "chunkOrder",
      async (t) => {
        await walk.open(t);
        await walk.refused(t, 1);
      },
    ),
    positive(
      "status-empty",
      "The session lives and holds nothing",
      "uploadStatus",
      (t) => walk.status(t, 0),
      {
        after: ["ahead"],
      },
    ),
    positive("first", "The first chunk is accepted", "chunkAccepted", (t) => walk.accepted(t, 0), {
      after: ["ahead"],
    }),
    skipAheadCase(walk),
    positive(
      "status-first",
      "The session holds the first chunk, no more and no less",
      "uploadStatusRange",
      (t) => walk.status(t, 1),
      { after: ["skip-ahead"] },
    ),
    positive("second", "The second chunk is accepted", "chunkRange", (t) => walk.accepted(t, 1), {
      after: ["skip-ahead"],
    }),
    negative(
      "rewind",
      "The first chunk again is refused with 416",
      "chunkOrder",
      (t) => walk.refused(t, 0),
      {
        after: ["second"],
      },
    ),
    positive(
      "status-second",
      "The session holds both chunks",
      "uploadStatusRange",
      (t) => walk.status(t, 2),
      {
        after: ["rewind"],
      },
    ),
    positive(
      "finish",
      "The last chunk closes the upload, and the blob is whole",
      "chunkClose",
      async (t) => {
        if (!walk.lastInPut) await walk.accepted(t, 2);
        const rest = walk.lastInPut ? walk.chunk(2) : {};
        const done = await t.client.uploadPut(walk.at, walk.content.digest, rest);
        await verifyPushed(t, done, walk.content);
      },
      { after: ["rewind"] },
    ),
  ];
}
