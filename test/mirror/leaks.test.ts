// Secrets of an upstream's login: they go to the upstream and its token service, and nowhere else, on no way.

import { afterEach, expect, test } from "bun:test";
import type { Credentials } from "../../src/client/client_auth.ts";
import { parseRegistryUrl } from "../../src/client/registry_url.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { egressRoute } from "../../src/extensions/sync/upstream/egress.ts";
import type { RegistryUpstream } from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { openUpstream, type OpenOptions, troubleOf } from "./open_upstream.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

const secret = "s3cret-of-the-upstream";
const login: Credentials = { kind: "password", user: "mirror", password: secret };
const opened: RegistryUpstream[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

/** Everything else on this machine may be called, so that only logins keep secrets in. */
function open(url: string, options: Partial<OpenOptions> = {}): RegistryUpstream {
  const route = egressRoute({
    upstream: parseRegistryUrl(url).origin,
    allowRedirectHosts: ["*"],
    proxy: null,
    env: {},
    tls: {},
    clock: systemClock,
  });
  const upstream = openUpstream({ url, route, credentials: login, ...options });
  opened.push(upstream);
  return upstream;
}

/** All that somebody heard, as text, also what was encoded. */
function heard({ requests }: ScriptedUpstream): string {
  return requests
    .map(({ target, lines, body }) => {
      const text = `${target} ${lines.flat().join(" ")} ${Buffer.from(body).toString()}`;
      const decoded = text.match(/[A-Za-z0-9+/=]{12,}/g)?.map((each) => atob64(each)) ?? [];
      return [text, ...decoded].join(" ");
    })
    .join("\n");
}

function atob64(text: string): string {
  return Buffer.from(text, "base64").toString("latin1");
}

async function pair(options: Parameters<typeof ScriptedUpstream.start>[0]) {
  const upstream = await ScriptedUpstream.start(options);
  const stranger = await ScriptedUpstream.start();
  return {
    upstream,
    stranger,
    [Symbol.asyncDispose]: async () => {
      await upstream[Symbol.asyncDispose]();
      await stranger[Symbol.asyncDispose]();
    },
  };
}

const credentials = { user: "mirror", password: secret };

test("a redirect to another origin: neither password nor token goes along, whatever that one asks for", async () => {
  for (const kind of ["basic", "tokens"] as const) {
    await using both = await pair({ [kind]: credentials });
    const { upstream, stranger } = both;
    const isLoggedIn = (value: string | null): boolean => value !== null;
    upstream.on("*", /^\/v2\//, ({ headers }) =>
      isLoggedIn(headers.get("authorization"))
        ? { status: 307, headers: { Location: `${stranger.url}/elsewhere` } }
        : null,
    );
    // It asks for a login itself, in both ways.
    stranger.on("*", "/elsewhere", {
      status: 401,
      headers: {
        "WWW-Authenticate": [
          `Basic realm="give it to me"`,
          `Bearer realm="${stranger.url}/token",service="x",scope="repository:a:pull"`,
        ],
      },
    });
    stranger.on("GET", "/token", { body: JSON.stringify({ token: "strangers-own" }) });
    const mirror = open(upstream.url);
    await troubleOf(mirror.headManifest("a", "1"));
    await troubleOf(mirror.getManifest("a", "1"));
    await troubleOf(mirror.getBlob("a", "x"));
    expect(stranger.requests.length).toBeGreaterThan(2);
    expect(heard(stranger)).not.toContain(secret);
    const tokens = upstream.requests.map(({ headers }) => headers.get("authorization") ?? "");
    for (const token of tokens.filter((each) => each.startsWith("Bearer "))) {
      expect(heard(stranger)).not.toContain(token);
    }
    // And the stranger's own token does not go back.
    expect(heard(upstream)).not.toContain("strangers-own");
  }
});

test("a redirect to the same host at another port, or without TLS, is another origin", async () => {
  await using both = await pair({ basic: credentials });
  const { upstream, stranger } = both;
  upstream.on("GET", "/v2/a/blobs/x", ({ headers }) =>
    headers.has("authorization")
      ? { status: 302, headers: { Location: stranger.url.replace("127.0.0.1", "LOCALHOST") } }
      : null,
  );
  await open(upstream.url).getBlob("a", "x");
  expect(stranger.requests).toHaveLength(1);
  expect(heard(stranger)).not.toContain(secret);
  expect(stranger.requests[0]?.headers.has("authorization")).toBe(false);
});

test("a redirect away and back: the login is for the upstream alone", async () => {
  await using both = await pair({ basic: credentials });
  const { upstream, stranger } = both;
  const { digest } = upstream.content.addImage("a", "1");
  upstream.on("GET", "/v2/a/manifests/1", {
    status: 302,
    headers: { Location: `${stranger.url}/x` },
  });
  stranger.on("GET", "/x", {
    status: 302,
    headers: { Location: `${upstream.url}/v2/a/manifests/${digest}` },
  });
  expect(await open(upstream.url).getManifest("a", "1")).toMatchObject({ digest });
  expect(heard(stranger)).not.toContain(secret);
});

test("a token goes to its own repository's requests and to no other upstream's", async () => {
  await using one = await ScriptedUpstream.start({ tokens: credentials });
  await using two = await ScriptedUpstream.start({ tokens: {} });
  one.content.addImage("a", "1");
  two.content.addImage("a", "1");
  await open(one.url).headManifest("a", "1");
  await open(two.url, { credentials: { kind: "anonymous" } }).headManifest("a", "1");
  expect(heard(two)).not.toContain(secret);
});

test("troubles say nothing of logins, tokens or signed addresses", async () => {
  await using both = await pair({ tokens: credentials });
  const { upstream, stranger } = both;
  const signed = `${stranger.url}/blob?X-Amz-Signature=${secret}&Policy=${secret}`;
  const authorized = (request: { headers: Headers }): boolean =>
    request.headers.has("authorization");
  const said: string[] = [];
  for (const answer of [
    { status: 500 },
    { status: 403 },
    { status: 302, headers: { Location: signed } },
    { raw: "no\r\n" },
  ]) {
    stranger.on("GET", "/blob", answer);
    upstream.on("GET", "/v2/a/blobs/x", (request) =>
      authorized(request) ? { status: 307, headers: { Location: signed } } : null,
    );
    const { message, words, cause } = await troubleOf(open(upstream.url).getBlob("a", "x"));
    said.push(message, words, String(cause));
  }
  upstream.on("GET", "/token", { status: 401, body: secret });
  said.push((await troubleOf(open(upstream.url).headManifest("b", "1"))).message);
  expect(said.join("\n")).not.toContain(secret);
  expect(said.join("\n")).not.toContain("X-Amz");
});
