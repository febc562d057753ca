// The balancer of the tests passes requests on in turn, as they are.

import { expect, test } from "bun:test";
import { startRoundRobin } from "./round_robin.ts";

function echo(name: string) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { method, headers, url } = request;
      const { pathname, search, host } = new URL(url);
      const bytes = (await request.bytes()).length;
      return new Response(method === "HEAD" ? null : "a".repeat(100_000), {
        status: 202,
        headers: {
          "x-from": name,
          "x-told": [method, pathname, search, host, bytes, headers.get("x-tag")].join(" "),
        },
      });
    },
  });
}

test("each request goes to the next replica, with its body and its headers, and so does the answer", async () => {
  const servers = ["a", "b", "c"].map(echo);
  await using balancer = await startRoundRobin(servers.map(({ url }) => url.origin));
  const asked: string[] = [];
  for (const [index, method] of ["POST", "PUT", "GET", "HEAD", "DELETE", "PATCH"].entries()) {
    const body = ["POST", "PUT", "PATCH"].includes(method) ? "b".repeat(200_000) : null;
    const answer = await fetch(`${balancer.url}/v2/a?b=c%20${index}`, {
      method,
      body,
      headers: { "x-tag": "t" },
    });
    expect(answer.status).toBe(202);
    expect((await answer.bytes()).length).toBe(method === "HEAD" ? 0 : 100_000);
    const { port } = balancer;
    const bytes = body === null ? 0 : 200_000;
    expect(answer.headers.get("x-told")).toBe(
      `${method} /v2/a ?b=c%20${index} 127.0.0.1:${port} ${bytes} t`,
    );
    asked.push(answer.headers.get("x-from") ?? "");
  }
  expect(asked).toEqual(["a", "b", "c", "a", "b", "c"]);
  balancer.next(2);
  expect((await fetch(balancer.url)).headers.get("x-from")).toBe("c");
  expect(balancer.passed.map(({ replica }) => replica)).toEqual([0, 1, 2, 0, 1, 2, 2]);
  for (const server of servers) await server.stop(true);
});

test("a replica that is gone is passed over, and where all are gone it is told", async () => {
  const servers = ["a", "b"].map(echo);
  await using balancer = await startRoundRobin(servers.map(({ url }) => url.origin));
  await servers[0]!.stop(true);
  for (let count = 0; count < 3; count += 1) {
    expect((await fetch(balancer.url)).headers.get("x-from")).toBe("b");
  }
  await servers[1]!.stop(true);
  expect((await fetch(balancer.url)).status).toBe(503);
});
