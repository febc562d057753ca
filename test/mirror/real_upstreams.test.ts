// Real registries as upstreams: this one, with TLS and tokens, and Debian's docker-registry.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Credentials } from "../../src/client/client_auth.ts";
import { locationOf, RegistryClient } from "../../src/client/registry_client.ts";
import { parseRegistryUrl } from "../../src/client/registry_url.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createRegistry, type Registry } from "../../src/create_registry.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media_types.ts";
import { egressRoute } from "../../src/extensions/sync/upstream/egress.ts";
import { readTls } from "../../src/extensions/sync/upstream/tls_material.ts";
import type { RegistryUpstream } from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { basic, passwordOf, usersFile } from "../auth/world.ts";
import { TestAuthority } from "../certificates.ts";
import { requireTool, startDockerRegistry, tempDirectory } from "../harness.ts";
import { bytesOf, openUpstream, type OpenOptions, troubleOf } from "./open_upstream.ts";

const blob = randomBytes(300_000);
const blobDigest = digestOf("sha256", blob);
const config = Buffer.from("{}");
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: {
      mediaType: mediaTypes.ociConfig,
      digest: digestOf("sha256", config),
      size: config.length,
    },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: blobDigest, size: blob.length }],
  }),
);
const digest = digestOf("sha256", manifest);
const tags = ["one", "three", "two"];

async function push(client: RegistryClient, repository: string): Promise<void> {
  for (const bytes of [blob, config]) {
    const started = await client.uploadStart(repository);
    const location = locationOf(started);
    if (location === null) throw new Error(`no upload: ${started.status}`);
    await client.uploadPut(location, digestOf("sha256", bytes), { body: bytes });
  }
  for (const tag of tags) {
    const pushed = await client.manifestPut(repository, tag, {
      mediaType: mediaTypes.ociImage,
      body: manifest,
    });
    expect(pushed.status).toBe(201);
  }
}

/** What every upstream has to give. */
async function pullAll(upstream: RegistryUpstream, repository: string): Promise<void> {
  expect(await upstream.headManifest(repository, "one")).toEqual({
    digest,
    mediaType: mediaTypes.ociImage,
    sizeBytes: manifest.length,
  });
  for (const reference of ["two", digest]) {
    expect(await upstream.getManifest(repository, reference)).toEqual({
      digest,
      mediaType: mediaTypes.ociImage,
      bytes: manifest,
    });
  }
  const whole = await upstream.getBlob(repository, blobDigest);
  expect([whole?.fromByte, whole?.sizeBytes]).toEqual([0, blob.length]);
  expect(await bytesOf(whole?.body ?? nothing)).toEqual(blob);
  const rest = await upstream.getBlob(repository, blobDigest, { fromByte: 200_000 });
  expect([rest?.fromByte, rest?.sizeBytes]).toEqual([200_000, blob.length]);
  expect(await bytesOf(rest?.body ?? nothing)).toEqual(blob.subarray(200_000));
  expect(await upstream.blobSize(repository, blobDigest)).toBe(blob.length);
  expect(await upstream.blobSize(repository, digestOf("sha256", Buffer.from("x")))).toBeNull();
  expect((await upstream.tags(repository))?.toSorted()).toEqual(tags);
  expect(await upstream.headManifest(repository, "none")).toBeNull();
  expect(await Array.fromAsync(upstream.catalog())).toEqual([repository]);
}

const nothing = (async function* () {})();

function open(options: OpenOptions): RegistryUpstream {
  const route = egressRoute({
    upstream: parseRegistryUrl(options.url).origin,
    allowRedirectHosts: [],
    proxy: null,
    env: {},
    tls: {},
    clock: systemClock,
  });
  return openUpstream({ route, ...options });
}

describe.skipIf(!requireTool("openssl"))("this registry, with TLS and tokens", () => {
  const login: Credentials = { kind: "password", user: "ann", password: passwordOf("ann") };
  let stop: () => Promise<unknown>;
  let url: string;
  let ca: string;

  beforeAll(async () => {
    const directory = await tempDirectory();
    const authority = await TestAuthority.make(directory.path);
    const pair = await authority.issue("upstream", { names: ["IP:127.0.0.1"] });
    const users = join(directory.path, "users");
    await writeFile(users, await usersFile(["ann"]));
    ca = authority.cert;
    // The port is known before the registry, whose tokens name it.
    const { promise: opened, resolve } = Promise.withResolvers<Registry>();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: await readFile(pair.cert, "utf8"), key: await readFile(pair.key, "utf8") },
      fetch: async (request) => (await opened).fetch(request),
    });
    url = server.url.origin;
    const policies = [{ users: ["ann"], actions: ["read", "create", "update"] }];
    const registry = await createRegistry({
      memory: true,
      config: {
        http: {
          externalUrl: url,
          auth: { htpasswd: { path: users } },
          accessControl: { repositories: { "**": { policies } } },
        },
      },
    });
    resolve(registry);
    stop = async () => {
      await server.stop(true);
      await registry.close();
      await directory[Symbol.asyncDispose]();
    };
    const client = new RegistryClient({
      url,
      credentials: login,
      tls: { ca: await readFile(ca, "utf8") },
    });
    await push(client, "team/app");
    client.close();
  });
  afterAll(() => stop());

  const tls = () => readTls({ verify: true, certDir: null, caFile: ca });

  test("gives all that a mirror asks for", async () => {
    const upstream = open({ url, credentials: login, tls: tls() });
    await pullAll(upstream, "team/app");
    expect(await upstream.referrers("team/app", digest)).toEqual({ source: "api", manifests: [] });
    expect(await upstream.getManifest("team/app", "one", { ifNoneMatch: digest })).toBe(
      "unchanged",
    );
    expect(upstream.state()).toMatchObject({ state: "up", lastError: null });
    upstream.close();
  });

  test("refuses strangers and wrong passwords, each in words", async () => {
    const stranger = open({ url, tls: tls() });
    const trouble = await troubleOf(stranger.headManifest("team/app", "one"));
    expect([trouble.kind, trouble.hasLogin]).toEqual(["denied", false]);
    stranger.close();
    const credentials = { ...login, password: "wrong" };
    const wrong = open({ url, tls: tls(), credentials });
    const refused = await troubleOf(wrong.headManifest("team/app", "one"));
    expect([refused.kind, refused.hasLogin]).toEqual(["denied", true]);
    expect(refused.message).not.toContain(basic("ann", "wrong"));
    wrong.close();
    const untrusted = open({ url, credentials: login });
    const certificate = await troubleOf(untrusted.headManifest("team/app", "one"));
    expect(certificate.message).toContain("certificate is not trusted");
    untrusted.close();
  });
});

test.skipIf(!requireTool("docker-registry"))(
  "docker-registry gives all that a mirror asks for",
  async () => {
    await using registry = await startDockerRegistry();
    const client = new RegistryClient({ url: registry.url });
    await push(client, "team/app");
    client.close();
    const upstream = open({ url: registry.url });
    await pullAll(upstream, "team/app");
    // It has no list of referrers, nor a tag in its place.
    expect(await upstream.referrers("team/app", digest)).toBeNull();
    upstream.close();
  },
);
