/**
 * How much load this generator can make: its own rate against a server that does nothing.
 *
 * The server lives in this process and answers every request with the same few bytes, so the rate is a lower bound:
 * generator and server share one core. A scenario whose rate comes near it was limited by the generator.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { RegistryClient } from "../client/registry_client.ts";
import { runLoad } from "./load.ts";

const requests = 5_000;

/** Requests per second that the generator makes against nothing. */
export async function generatorCeiling(concurrency: number): Promise<number> {
  const body = Buffer.from("{}");
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": body.length }).end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const client = new RegistryClient({ url: `http://127.0.0.1:${port}` });
  try {
    const result = await runLoad({
      operation: async () => {
        await client.ping();
        return { bytes: body.length, firstByteMs: null };
      },
      count: requests,
      concurrency,
      onProgress: () => {},
    });
    return (result.completed * 1000) / result.elapsedMs;
  } finally {
    client.close();
    server.close();
  }
}
