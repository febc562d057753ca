// A registry as a part of a program of your own: the program listens, and keeps its other paths.
//
//     bun add zot-registry
//     bun server.ts ./images 8080

import { createRegistry } from "zot-registry";

const [rootDirectory = "./images", port = "8080"] = process.argv.slice(2);
const registry = await createRegistry({
  rootDirectory,
  log: (line) => console.log(line),
});

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  // Layers are large: the registry has limits of its own.
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  idleTimeout: 255,
  fetch(request, server) {
    if (new URL(request.url).pathname === "/hello") return new Response("Hello!\n");
    return registry.fetch(request, { address: server.requestIP(request)?.address ?? null });
  },
});
console.log(`listening on ${server.url}`);

process.on("SIGTERM", async () => {
  await server.stop();
  await registry.close();
});
