// A registry below a path of a proxy: clients that follow what answers say stay below that path.

import { expect, test } from "bun:test";
import { config, image, layer } from "./content.ts";
import { startWorld, type World } from "./world.ts";

const prefix = "/registry";

/** Takes the prefix away and passes the rest on, with the headers that a well-behaved proxy adds. */
function proxyTo(target: () => string, passHost: boolean) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search, host } = new URL(request.url);
      if (!pathname.startsWith(`${prefix}/`)) return new Response("not below", { status: 418 });
      const headers = new Headers(request.headers);
      headers.delete("host");
      headers.set("x-forwarded-prefix", prefix);
      if (passHost) headers.set("x-forwarded-host", host);
      const body = request.body === null ? null : await request.bytes();
      const url = `${target()}${pathname.slice(prefix.length)}${search}`;
      return fetch(url, { method: request.method, headers, body, redirect: "manual" });
    },
  });
}

/** A push in every way that follows a Location, and lists that follow a Link; the statuses on the way. */
async function walk(base: string): Promise<number[]> {
  const statuses: number[] = [];
  const ask = async (
    method: string,
    url: string | URL,
    body: string | Uint8Array | null = null,
  ) => {
    const headers = { "content-type": image().mediaType };
    const answer = await fetch(url, { method, body, headers, redirect: "manual" });
    statuses.push(answer.status);
    const location = answer.headers.get("location");
    return { answer, next: location === null ? null : new URL(location, url) };
  };
  const at = (path: string): string => `${base}/v2/a/${path}`;
  const opened = await ask("POST", at("blobs/uploads/"));
  const grown = await ask("PATCH", opened.next!, layer.bytes);
  grown.next!.searchParams.set("digest", layer.digest);
  const done = await ask("PUT", grown.next!);
  await ask("GET", done.next!);
  const single = await ask("POST", at(`blobs/uploads/?digest=${config.digest}`), config.bytes);
  await ask("GET", single.next!);
  const mounted = await ask("POST", `${base}/v2/b/blobs/uploads/?mount=${layer.digest}&from=a`);
  await ask("GET", mounted.next!);
  for (const tag of ["one", "two"]) {
    const pushed = await ask("PUT", at(`manifests/${tag}`), image().bytes);
    await ask("GET", pushed.next!);
  }
  const page = await ask("GET", at("tags/list?n=1"));
  const link = /^<(.*)>; rel="next"$/.exec(page.answer.headers.get("link") ?? "")?.[1] ?? "";
  await ask("GET", new URL(link, at("tags/list")));
  const swagger = await ask("GET", `${base}/swagger/v2`);
  await ask("GET", swagger.next!);
  return statuses;
}

const whole = [202, 202, 201, 200, 201, 200, 201, 200, 201, 200, 201, 200, 200, 200, 308, 200];
const warned = ({ lines }: World): string[] =>
  lines.map(({ msg }) => String(msg)).filter((line) => line.startsWith("http.externalUrl"));

test("clients that follow Location and Link stay below the path of externalUrl", async () => {
  let target = "";
  using proxy = proxyTo(() => target, true);
  const base = `http://127.0.0.1:${proxy.port}${prefix}`;
  await using world = await startWorld({ http: { externalUrl: base } });
  target = world.url;
  expect(await walk(base)).toEqual(whole);
  // Whoever comes another way is sent nowhere else.
  expect(await walk(world.url)).toEqual(whole);
  expect(warned(world)).toEqual([]);
});

test("behind a path that nobody named the log says what is missing, once", async () => {
  let target = "";
  using proxy = proxyTo(() => target, true);
  await using world = await startWorld();
  target = world.url;
  const base = `http://127.0.0.1:${proxy.port}${prefix}`;
  for (let round = 0; round < 2; round += 1) {
    const opened = await fetch(`${base}/v2/a/blobs/uploads/`, { method: "POST" });
    expect(opened.headers.get("location")).toStartWith("/v2/a/blobs/uploads/");
  }
  expect(warned(world)).toEqual([expect.stringContaining(`https://<host>${prefix}`)]);
});

test("a proxy that does not pass the host on is told of", async () => {
  let target = "";
  using proxy = proxyTo(() => target, false);
  const base = `http://127.0.0.1:${proxy.port}${prefix}`;
  await using world = await startWorld({ http: { externalUrl: base } });
  target = world.url;
  await fetch(`${base}/v2/a/blobs/uploads/`, { method: "POST" });
  expect(warned(world)).toEqual([expect.stringContaining("pass Host or X-Forwarded-Host")]);
});

test("a proxy that leaves its path in the request is told of by the answer", async () => {
  await using world = await startWorld();
  const answer = await world.send("GET", `${prefix}/v2/a/tags/list`);
  expect(answer.status).toBe(404);
  expect(world.records.at(-1)?.error).toContain(`take ${prefix} away`);
});
