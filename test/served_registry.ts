// A whole registry behind a listener of this process, for tests of clients: no other process, and in memory unless a
// directory is given.

import { createRegistry, type Registry, type RegistryOptions } from "../src/create_registry.ts";

export interface ServedRegistry extends AsyncDisposable {
  readonly registry: Registry;
  /** Such as `http://127.0.0.1:40000`. */
  readonly url: string;
  readonly port: number;
}

/** Listens on a free port of 127.0.0.1. */
export async function serveRegistry(
  options: RegistryOptions = { memory: true },
): Promise<ServedRegistry> {
  const registry = await createRegistry(options);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, own) =>
      registry.fetch(request, { address: own.requestIP(request)?.address ?? null }),
  });
  return {
    registry,
    url: server.url.origin,
    port: server.port ?? 0,
    [Symbol.asyncDispose]: async () => {
      await server.stop(true);
      await registry.close();
    },
  };
}
