// The other end of `bench/objects.ts`, as a process of its own: takes any body of a PUT and throws it away, and answers
// GET with as many bytes as the key says. Usage: objects_server.ts; it prints its port.

const served = new Map<string, Uint8Array<ArrayBuffer>>();

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  async fetch(request) {
    if (request.method === "PUT") {
      const reader = request.body?.getReader();
      while ((await reader?.read())?.done === false);
      return new Response("", { headers: { ETag: '"tag"' } });
    }
    const bytes = /\d+$/.exec(new URL(request.url).pathname)?.[0] ?? "0";
    const body = served.get(bytes) ?? new Uint8Array(Number(bytes));
    served.set(bytes, body);
    return new Response(body);
  },
});
console.log(server.port);
