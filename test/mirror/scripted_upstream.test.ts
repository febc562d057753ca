// The scripted upstream against clients that are not ours: what tests of the mirror rely on.

import { describe, expect, test } from "bun:test";
import { TestAuthority } from "../certificates.ts";
import { requireTool } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

describe("a scripted upstream", () => {
  test("is a registry without a script: tokens, manifests, ranges, lists", async () => {
    await using upstream = await ScriptedUpstream.start({ tokens: { user: "u", password: "p" } });
    const image = upstream.content.addImage("team/app", "1.0", ["abcdef"]);
    upstream.content.addImage("team/app", "1.1");
    upstream.content.addManifest("team/app", {
      schemaVersion: 2,
      config: { mediaType: "application/x-signature", digest: image.config.digest, size: 1 },
      layers: [],
      subject: { digest: image.digest },
    });
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const url = `${upstream.url}/v2/${path}`;
      const first = await fetch(url, { headers });
      const challenge = first.headers.get("www-authenticate") ?? "";
      const scope = /scope="([^"]*)"/.exec(challenge)?.[1] ?? "";
      const login = { authorization: `Basic ${btoa("u:p")}` };
      const answer = await fetch(`${upstream.url}/token?scope=${scope}`, { headers: login });
      const { token } = (await answer.json()) as { token: string };
      return fetch(url, { headers: { ...headers, authorization: `Bearer ${token}` } });
    };

    const manifest = await get("team/app/manifests/1.0");
    expect(manifest.headers.get("docker-content-digest")).toBe(image.digest);
    expect(await manifest.bytes()).toEqual(image.bytes);
    const part = await get(`team/app/blobs/${image.layers[0]?.digest}`, { range: "bytes=2-" });
    expect([part.status, await part.text()]).toEqual([206, "cdef"]);
    const tags = await get("team/app/tags/list?n=1");
    expect(await tags.json()).toEqual({ name: "team/app", tags: ["1.0"] });
    expect(tags.headers.get("link")).toContain('last=1.0>; rel="next"');
    const { manifests } = (await (await get(`team/app/referrers/${image.digest}`)).json()) as {
      manifests: unknown[];
    };
    expect(manifests).toHaveLength(1);
    expect((await get("team/none/manifests/1.0")).status).toBe(404);
    expect(upstream.asked("GET", "manifests/1.0")).toHaveLength(4);
  });

  test("does what a script says, and what it did is on record", async () => {
    await using upstream = await ScriptedUpstream.start();
    upstream.content.addImage("a", "1");
    upstream.on("GET", "/short", { body: "abc", contentLength: 10 });
    upstream.on("GET", "/cut", { body: "abcdef", cutAfterBytes: 3 });
    upstream.on("GET", "/raw", { raw: "nonsense\r\n" });
    upstream.on("GET", "/chunks", { body: [Buffer.from("ab"), Buffer.from("cd")] });
    upstream.inTurn("GET", "/v2/a/manifests/1", { status: 503 }, null);
    const reject = (path: string) => fetch(`${upstream.url}${path}`).then((each) => each.text());
    for (const path of ["/short", "/cut", "/raw"]) {
      expect(await reject(path).catch(() => "broken")).toBe("broken");
    }
    expect(await reject("/chunks")).toBe("abcd");
    expect((await fetch(`${upstream.url}/v2/a/manifests/1`)).status).toBe(503);
    expect((await fetch(`${upstream.url}/v2/a/manifests/1`)).status).toBe(200);

    const leaving = new AbortController();
    upstream.on("GET", "/silent", { silent: true });
    const silent = fetch(`${upstream.url}/silent`, { signal: leaving.signal }).catch(() => "left");
    const [asked] = await upstream.awaitAsked("GET", "/silent");
    expect(asked?.path).toBe("/silent");
    leaving.abort();
    expect(await silent).toBe("left");
  });

  test.if(requireTool("openssl"))("speaks TLS", async () => {
    await using directory = await tempDirectory();
    const authority = await TestAuthority.make(directory.path);
    const { cert, key } = await authority.issue("upstream", { names: ["IP:127.0.0.1"] });
    const pem = async (path: string) => Bun.file(path).text();
    await using upstream = await ScriptedUpstream.start({
      tls: { cert: await pem(cert), key: await pem(key) },
    });
    const answer = await fetch(`${upstream.url}/v2/`, { tls: { ca: await pem(authority.cert) } });
    expect(await answer.text()).toBe("{}");
  });
});
