// Load: a closed loop of GET or HEAD requests over keep-alive connections.

import { Connection } from "./connection.ts";
import { expectStatus, requestHead } from "./expect.ts";
import type { GetJob } from "./jobs.ts";

/** Runs for `job.seconds`; requests that are under way then are waited for and counted. */
export async function runGets(job: GetJob): Promise<{ operations: number; bytes: number }> {
  const { method = "GET", accept = "*/*", authorization } = job;
  const login = authorization === undefined ? [] : [`Authorization: ${authorization}`];
  const requests = job.paths.map((path) =>
    requestHead(method, path, `Accept: ${accept}`, ...login),
  );
  const total = { operations: 0, bytes: 0 };
  const until = performance.now() + job.seconds * 1000;
  const loop = async (start: number): Promise<void> => {
    const connection = await Connection.open(job.port, job.tls);
    for (let at = start; performance.now() < until; at++) {
      const index = at % requests.length;
      const request = requests[index] ?? Buffer.alloc(0);
      const reply = await (method === "HEAD"
        ? connection.sendHead(request)
        : connection.send(request));
      expectStatus(reply, 200, `${method} ${job.paths[index]}`);
      total.operations += 1;
      total.bytes += reply.bodyBytes;
    }
    connection.close();
  };
  // Prime steps keep the connections on different blobs.
  await Promise.all(Array.from({ length: job.connections }, (_, index) => loop(index * 7)));
  return total;
}
