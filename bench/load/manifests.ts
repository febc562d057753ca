// Load: manifests pushed by tag (or, as referrers, by digest) from many clients at once.

import { describeManifest, makeManifest, manifestMediaType, tagName } from "../content.ts";
import { Connection } from "./connection.ts";
import { expectStatus, requestHead } from "./expect.ts";
import type { ManifestsJob } from "./jobs.ts";

/** Makes the requests first: the clients only send them. */
export function prepareManifests(
  job: ManifestsJob,
): () => Promise<{ operations: number; bytes: number }> {
  const requests = Array.from({ length: job.count }, (_, index) => request(job, job.first + index));
  return async () => {
    const queue = requests.values();
    const loop = async (): Promise<void> => {
      const connection = await Connection.open(job.port);
      for (const bytes of queue) {
        expectStatus(await connection.send(bytes), 201, `PUT into ${job.repository}`);
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: job.connections }, loop));
    return { operations: job.count, bytes: requests.reduce((sum, bytes) => sum + bytes.length, 0) };
  };
}

function request(job: ManifestsJob, index: number): Buffer {
  const subject = job.subjects?.[index % job.subjects.length];
  const body = makeManifest(job.seed, index, subject);
  const reference =
    subject === undefined ? tagName(job.seed, index) : describeManifest(body).digest;
  const path = `/v2/${job.repository}/manifests/${reference}`;
  const type = `Content-Type: ${manifestMediaType}`;
  return Buffer.concat([requestHead("PUT", path, type, `Content-Length: ${body.length}`), body]);
}
