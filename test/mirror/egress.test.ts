// Where a mirror can be made to send requests: attacks by what an upstream names, and the ways that an operator opens.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { parseRegistryUrl } from "../../src/client/registry_url.ts";
import { egressRoute, type EgressOptions } from "../../src/extensions/sync/upstream/egress.ts";
import { addressKind } from "../../src/extensions/sync/upstream/address_kinds.ts";
import { proxyFor } from "../../src/extensions/sync/upstream/proxies.ts";
import { readTls } from "../../src/extensions/sync/upstream/tls_material.ts";
import type { RegistryUpstream } from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { TestAuthority } from "../certificates.ts";
import { requireTool } from "../processes.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { bytesOf, openUpstream, type OpenOptions, troubleOf } from "./open_upstream.ts";
import { ScriptedProxy } from "./scripted_proxy.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

let registry: ScriptedUpstream;
let victim: ScriptedUpstream;
const opened: RegistryUpstream[] = [];

beforeAll(async () => {
  registry = await ScriptedUpstream.start();
  victim = await ScriptedUpstream.start();
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  for (const each of [registry, victim]) {
    each.reset();
    each.requests.length = 0;
    each.connections = 0;
  }
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await victim[Symbol.asyncDispose]();
});

interface Guarded extends Partial<OpenOptions> {
  readonly egress?: Partial<EgressOptions>;
}

/** An upstream behind the rules of egress. */
function open({ egress, ...options }: Guarded = {}): RegistryUpstream {
  const url = options.url ?? registry.url;
  const route = egressRoute({
    upstream: parseRegistryUrl(url).origin,
    allowRedirectHosts: [],
    proxy: null,
    env: {},
    tls: {},
    clock: systemClock,
    ...egress,
  });
  const upstream = openUpstream({ url, route, ...options });
  opened.push(upstream);
  return upstream;
}

const redirectTo = (location: string) => ({ status: 307, headers: { Location: location } });

describe("kinds of addresses", () => {
  const rows: readonly (readonly [address: string, kind: ReturnType<typeof addressKind>])[] = [
    ["8.8.8.8", "public"],
    ["2606:4700::1", "public"],
    ["127.0.0.1", "local"],
    ["127.255.3.4", "local"],
    ["::1", "local"],
    ["10.1.2.3", "private"],
    ["172.31.0.1", "private"],
    ["172.32.0.1", "public"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "private"],
    ["fd12::1", "private"],
    ["169.254.169.254", "forbidden"],
    ["169.254.170.2", "forbidden"],
    ["fd00:ec2::254", "forbidden"],
    ["100.100.100.200", "forbidden"],
    ["168.63.129.16", "forbidden"],
    ["0.0.0.0", "forbidden"],
    ["::", "forbidden"],
    ["224.0.0.1", "forbidden"],
    ["255.255.255.255", "forbidden"],
    ["fe80::1", "forbidden"],
    ["fe80::1%eth0", "forbidden"],
    ["ff02::1", "forbidden"],
    // IPv4 inside of IPv6, in each way that leads there.
    ["::ffff:127.0.0.1", "local"],
    ["::ffff:7f00:1", "local"],
    ["0:0:0:0:0:ffff:a9fe:a9fe", "forbidden"],
    ["::ffff:10.0.0.1", "private"],
    ["::ffff:8.8.8.8", "public"],
    ["::127.0.0.1", "local"],
    ["64:ff9b::169.254.169.254", "forbidden"],
    ["64:ff9b::8.8.8.8", "public"],
    ["2002:7f00:1::", "local"],
    ["2002:a9fe:a9fe::1", "forbidden"],
    ["::ffff:0:127.0.0.1", "local"],
    ["not an address", "forbidden"],
    ["2130706433", "forbidden"],
  ];
  test.each([...rows])("%s is %s", (address, kind) => {
    expect(addressKind(address)).toBe(kind);
  });
});

describe("row 47: what an upstream names is not called where it leads inside", () => {
  const hosts = () => [
    `127.0.0.1:${victim.port}`,
    `localhost:${victim.port}`,
    `127.1:${victim.port}`,
    `2130706433:${victim.port}`,
    `0x7f000001:${victim.port}`,
    `0177.0.0.1:${victim.port}`,
    `[::ffff:127.0.0.1]:${victim.port}`,
    `[::1]:${victim.port}`,
    `0.0.0.0:${victim.port}`,
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "224.0.0.1",
  ];

  test("redirects of manifests and blobs", async () => {
    const told: string[] = [];
    const upstream = open({
      egress: { onRefused: (host, reason) => told.push(`${host}: ${reason}`) },
    });
    for (const host of hosts()) {
      registry.on(
        "*",
        /^\/v2\/a\//,
        redirectTo(`http://${host}/latest/meta-data/?X-Amz-Signature=s3cret`),
      );
      for (const work of [
        upstream.getBlob("a", "x"),
        upstream.headManifest("a", "1"),
        upstream.getManifest("a", "1"),
      ]) {
        const trouble = await troubleOf(work);
        expect([trouble.kind, host], trouble.message).toEqual(["broken", host]);
        expect(trouble.message).toContain("is not an address that may be called");
        expect(trouble.message).not.toContain("s3cret");
      }
    }
    expect(victim.connections).toBe(0);
    // Once for each host, not for each request.
    expect(told).toHaveLength(hosts().length);
    expect(told.join("\n")).not.toContain("s3cret");
  });

  test("a redirect that leads there over several steps", async () => {
    registry.on("GET", "/v2/a/blobs/x", redirectTo("/step"));
    registry.on("GET", "/step", redirectTo(`http://127.0.0.1:${victim.port}/`));
    expect((await troubleOf(open().getBlob("a", "x"))).kind).toBe("broken");
    expect(victim.connections).toBe(0);
  });

  test("a name that changes between the look and the call: the address that was looked at is called", async () => {
    const name = `rebinding.test:${victim.port}`;
    registry.on("GET", "/v2/a/blobs/x", redirectTo(`http://${name}/x`));
    victim.on("GET", "/x", { body: "stolen" });
    const asked: string[] = [];
    const rebinding = {
      allowRedirectHosts: [name],
      resolve: async (host: string) => {
        asked.push(host);
        return [asked.length === 1 ? "127.0.0.2" : "127.0.0.1"];
      },
    };
    // Nobody listens at the first address; a second look would have led to the victim.
    const trouble = await troubleOf(open({ egress: rebinding }).getBlob("a", "x"));
    expect(trouble.kind).toBe("unreachable");
    expect(asked).toEqual(["rebinding.test"]);
    // Where nobody opened it, it leads inside at the first look.
    const { resolve } = rebinding;
    const inside = await troubleOf(open({ egress: { resolve } }).getBlob("a", "x"));
    expect(inside.message).toContain("it is this machine");
    expect(victim.connections).toBe(0);
  });

  test("of several addresses none that leads inside is called", async () => {
    registry.on("GET", "/v2/a/blobs/x", redirectTo(`http://both.test:${victim.port}/x`));
    const resolve = async () => ["169.254.169.254", "127.0.0.1", "fd00:ec2::254"];
    expect((await troubleOf(open({ egress: { resolve } }).getBlob("a", "x"))).kind).toBe("broken");
    expect(victim.connections).toBe(0);
  });

  test("a token service that leads inside, with our login and without", async () => {
    const realm = `http://127.0.0.1:${victim.port}/token`;
    const headers = { "WWW-Authenticate": `Bearer realm="${realm}",service="s"` };
    registry.on("*", /^\/v2\/a\//, { status: 401, headers });
    const login = { kind: "password", user: "u", password: "p" } as const;
    for (const credentials of [login, { kind: "anonymous" } as const]) {
      const trouble = await troubleOf(open({ credentials }).headManifest("a", "1"));
      expect(trouble.message).toContain("is not an address that may be called");
    }
    expect(victim.connections).toBe(0);
  });

  test("schemes that are none of HTTP are not followed", async () => {
    for (const location of ["file:///etc/passwd", "gopher://127.0.0.1:1/", "http://u:p@/", "//"]) {
      registry.on("GET", "/v2/a/blobs/x", redirectTo(location));
      expect((await troubleOf(open().getBlob("a", "x"))).words).toBe(
        "redirects to where it cannot be followed",
      );
    }
  });
});

describe("what an operator opens", () => {
  test("hosts by name, on this machine and in private networks, and never a metadata service", async () => {
    registry.on("GET", "/v2/a/blobs/x", redirectTo(`${victim.url}/x`));
    victim.on("GET", "/x", { body: "blob" });
    const egress = { allowRedirectHosts: ["127.0.0.*"] };
    const blob = await open({ egress }).getBlob("a", "x");
    expect((await bytesOf(blob?.body ?? (async function* () {})())).toString()).toBe("blob");
    registry.on("GET", "/v2/a/blobs/x", redirectTo("http://169.254.169.254/"));
    const any = open({ egress: { allowRedirectHosts: ["*"] } });
    expect((await troubleOf(any.getBlob("a", "x"))).kind).toBe("broken");
  });

  const kinds: readonly (readonly [upstream: string, isCalled: boolean])[] = [
    ["10.0.0.1", true],
    ["127.0.0.1", true],
    ["8.8.8.8", false],
  ];
  test.each([...kinds])("an upstream at %s may name private networks: %p", async (at, isCalled) => {
    const route = egressRoute({
      upstream: parseRegistryUrl("https://registry.corp").origin,
      allowRedirectHosts: [],
      proxy: null,
      env: {},
      tls: {},
      clock: systemClock,
      resolve: async (host) => [host === "registry.corp" ? at : "10.9.9.9"],
    });
    const way = await route(parseRegistryUrl("https://blobs.corp").origin, true).catch(() => null);
    expect(way).toEqual(isCalled ? { address: "10.9.9.9" } : null);
  });

  test("row 48: what is named without TLS by an upstream with TLS", async () => {
    const route = egressRoute({
      upstream: parseRegistryUrl("https://registry.corp").origin,
      allowRedirectHosts: ["*"],
      proxy: null,
      env: {},
      tls: {},
      clock: systemClock,
      resolve: async () => ["8.8.8.8"],
    });
    const refused = await route(parseRegistryUrl("http://auth.corp").origin, true).catch(String);
    expect(refused).toContain("it is without TLS, and the upstream is not");
    expect(await route(parseRegistryUrl("https://auth.corp").origin, true)).toEqual({
      address: "8.8.8.8",
    });
  });
});

describe("proxies by the environment", () => {
  const rows: readonly (readonly [url: string, env: Record<string, string>, proxied: boolean])[] = [
    ["https://a.example.com", {}, false],
    ["https://a.example.com", { HTTPS_PROXY: "http://p:1" }, true],
    ["https://a.example.com", { https_proxy: "p:1" }, true],
    ["http://a.example.com", { HTTPS_PROXY: "http://p:1" }, false],
    ["http://a.example.com", { http_proxy: "http://p:1" }, true],
    ["https://a.example.com", { HTTPS_PROXY: "p:1", NO_PROXY: "*" }, false],
    ["https://a.example.com", { HTTPS_PROXY: "p:1", NO_PROXY: "example.com" }, false],
    ["https://a.example.com", { HTTPS_PROXY: "p:1", no_proxy: "x, .EXAMPLE.com" }, false],
    ["https://example.com", { HTTPS_PROXY: "p:1", NO_PROXY: ".example.com" }, true],
    ["https://badexample.com", { HTTPS_PROXY: "p:1", NO_PROXY: "example.com" }, true],
    ["https://a.example.com", { HTTPS_PROXY: "p:1", NO_PROXY: "*.example.com" }, false],
    ["https://a.example.com:5000", { HTTPS_PROXY: "p:1", NO_PROXY: "a.example.com:5000" }, false],
    ["https://a.example.com", { HTTPS_PROXY: "p:1", NO_PROXY: "a.example.com:5000" }, true],
    ["https://10.1.2.3", { HTTPS_PROXY: "p:1", NO_PROXY: "10.0.0.0/8" }, false],
    ["https://11.1.2.3", { HTTPS_PROXY: "p:1", NO_PROXY: "10.0.0.0/8" }, true],
    ["https://[fd00::1]", { HTTPS_PROXY: "p:1", NO_PROXY: "fd00::/8" }, false],
    ["https://[fd00::1]:5", { HTTPS_PROXY: "p:1", NO_PROXY: "[fd00::1]:5" }, false],
    ["https://localhost:5000", { HTTPS_PROXY: "p:1" }, false],
    ["http://127.0.0.1:5000", { HTTP_PROXY: "p:1" }, false],
  ];
  test.each([...rows])("%s with %j: %p", (url, env, proxied) => {
    const { origin } = parseRegistryUrl(url);
    expect(proxyFor(origin, { proxy: null, env, tls: {} }) !== null).toBe(proxied);
  });

  test("that of an entry counts instead, and `none` is none", () => {
    const { origin } = parseRegistryUrl("https://a.example.com");
    const env = { HTTPS_PROXY: "http://p:1", NO_PROXY: "*" };
    const own = proxyFor(origin, { proxy: "http://u%40x:p%3A@own:3128", env, tls: {} });
    expect(own).toEqual({
      host: "own",
      port: 3128,
      tls: null,
      authorization: `Basic ${btoa("u@x:p:")}`,
    });
    expect(proxyFor(origin, { proxy: "none", env: { HTTPS_PROXY: "p:1" }, tls: {} })).toBeNull();
    expect(() =>
      proxyFor(origin, { proxy: null, env: { HTTPS_PROXY: "socks5://u:s3cret@p" }, tls: {} }),
    ).toThrow("the proxy: proxy does not let us through (expected a URL with http or https");
  });
});

describe.if(requireTool("openssl"))("row 53: proxies and certificates", () => {
  let directory: TempDirectory;
  let authority: TestAuthority;
  let secure: ScriptedUpstream;
  let material: { cert: string; key: string };

  beforeAll(async () => {
    directory = await tempDirectory();
    authority = await TestAuthority.make(directory.path);
    const names = ["DNS:registry.test", "IP:127.0.0.1"];
    const { cert, key } = await authority.issue("upstream", { names });
    material = { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
    secure = await ScriptedUpstream.start({ tls: material });
    secure.content.addImage("a", "1");
  });
  afterAll(async () => {
    await secure[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  const files = { verify: true, certDir: null };
  const names = () => ({ "registry.test:443": secure.port, "registry.test:80": registry.port });

  test("CONNECT with a login for TLS, the whole URL for plain HTTP, and none where NO_PROXY says so", async () => {
    const login = { user: "me", password: "p" };
    await using proxy = await ScriptedProxy.start({ names: names(), login });
    const tls = readTls({ ...files, caFile: authority.cert });
    const env = {
      HTTPS_PROXY: `http://me:p@${proxy.host}`,
      HTTP_PROXY: `http://me:p@${proxy.host}`,
    };
    const safe = open({ url: "https://registry.test", tls, egress: { env } });
    expect(await safe.headManifest("a", "1")).not.toBeNull();
    expect(proxy.asked).toEqual(["CONNECT registry.test:443 HTTP/1.1"]);
    registry.content.addImage("a", "1");
    const plain = open({ url: "http://registry.test", egress: { env } });
    expect(await plain.headManifest("a", "1")).not.toBeNull();
    expect(proxy.asked[1]).toBe("HEAD http://registry.test/v2/a/manifests/1 HTTP/1.1");
    // The login is the proxy's, and nobody else sees it.
    expect(
      [...registry.requests, ...secure.requests].some(({ lines }) =>
        lines.some(([name]) => name === "Proxy-Authorization"),
      ),
    ).toBe(false);
    // This machine is never asked for through a proxy.
    expect(await open({ egress: { env } }).headManifest("a", "1")).not.toBeNull();
    expect(proxy.asked).toHaveLength(2);
  });

  test("a proxy that is spoken to over TLS", async () => {
    await using proxy = await ScriptedProxy.start({ names: names(), tls: material });
    const tls = readTls({ ...files, caFile: authority.cert });
    const upstream = open({
      url: "https://registry.test",
      tls,
      egress: { proxy: `https://${proxy.host}`, tls },
    });
    expect(await upstream.headManifest("a", "1")).not.toBeNull();
    expect(proxy.asked).toEqual(["CONNECT registry.test:443 HTTP/1.1"]);
  });

  test("a proxy that refuses is named, without its login", async () => {
    await using proxy = await ScriptedProxy.start({ login: { user: "u", password: "other" } });
    const egress = { proxy: `http://u:s3cret@${proxy.host}` };
    const trouble = await troubleOf(
      open({ url: "https://registry.test", egress }).headManifest("a", "1"),
    );
    expect([trouble.kind, trouble.message]).toEqual([
      "unreachable",
      `upstream.test cannot be used: ${proxy.host}: proxy does not let us through (it wants a login, or another one: 407)`,
    ]);
  });

  test("a derived name is looked at even behind a proxy, where we can resolve it", async () => {
    await using proxy = await ScriptedProxy.start();
    const egress = { proxy: `http://${proxy.host}` };
    registry.on("GET", "/v2/a/blobs/x", redirectTo(`http://localhost:${victim.port}/`));
    expect((await troubleOf(open({ egress }).getBlob("a", "x"))).kind).toBe("broken");
    expect(victim.connections).toBe(0);
  });

  test("an authority of our own by file and by directory; a wrong one is said in words", async () => {
    const { url } = secure;
    const certDir = join(directory.path, "certs");
    await mkdir(certDir);
    await writeFile(join(certDir, "ca.crt"), await readFile(authority.cert));
    for (const tls of [
      readTls({ ...files, caFile: authority.cert }),
      readTls({ verify: true, certDir, caFile: null }),
      readTls({ verify: false, certDir: join(directory.path, "none"), caFile: null }),
    ]) {
      expect(await open({ url, tls }).headManifest("a", "1")).not.toBeNull();
    }
    const other = await TestAuthority.make(directory.path, "other");
    const trouble = await troubleOf(
      open({ url, tls: readTls({ ...files, caFile: other.cert }) }).headManifest("a", "1"),
    );
    expect(trouble.kind).toBe("unreachable");
    expect(trouble.message).toContain("certificate is not trusted");
    expect(() => readTls({ ...files, caFile: "/nowhere" })).toThrow("/nowhere: expected a file");
    await writeFile(join(certDir, "client.cert"), await readFile(authority.cert));
    expect(() => readTls({ verify: true, certDir, caFile: null })).toThrow("*.cert and *.key");
  });
});
