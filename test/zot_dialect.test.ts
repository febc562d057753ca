// Files in zot's dialect, of every kind that it publishes an example of, each started as it is and asked.
//
// Proves that the keys of TLS, client certificates, LDAP, htpasswd, policies, rates, metrics, tokens and API keys do what
// they say, in JSON and in YAML with keys in lower case; and that what is not served stops the start by name. The
// configurations are ours (`dialect/kinds.ts`); what single keys do is proven beside the code that does it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { stringify } from "yaml";
import { knownKeys, type KnownKey } from "../src/config/known_keys.ts";
import { loadText } from "../src/config/load.ts";
import { optionRows } from "../src/config/reference.ts";
import { placedOptions } from "../src/config/schema.ts";
import { kinds, type Kind, type Surroundings } from "./dialect/kinds.ts";
import { bearer, DialectWorld, nobody, user, verbs, type Serving } from "./dialect/world.ts";
import { packageDirectory, requireTool, run, tempDirectory } from "./harness.ts";
import { startSlapd, type Slapd } from "./slapd.ts";

const testMs = 120_000;
const manages = requireTool("openssl");
const managesLdap = manages && requireTool("slapadd", "ldapmodify");

/** The whole file of a kind. */
function fileOf(kind: Kind, given: Surroundings): object {
  const { root } = given;
  return {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: `${root}/registry`, ...kind.storage },
    http: kind.http(given),
    log: kind.log?.(root) ?? { level: "debug" },
    ...(kind.extensions === undefined ? {} : { extensions: kind.extensions }),
  };
}

/** Keys in lower case, as zot takes them, too. Names that a user gives are in lower case in these files anyway. */
function lowerCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerCase);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, each]) => [key.toLowerCase(), lowerCase(each)]));
}

describe.skipIf(!manages)("a file in zot's dialect starts, for", () => {
  let world: DialectWorld;
  let slapd: Slapd | null = null;

  beforeAll(async () => {
    world = await DialectWorld.make();
    if (managesLdap) slapd = await startSlapd();
  }, testMs);
  afterAll(async () => {
    await slapd?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const ldap = () =>
    slapd === null ? null : { port: slapd.tlsPort, credentialsFile: slapd.credentialsFile };

  async function serve(kind: Kind): Promise<Serving> {
    return await world.serve("config.json", (root) =>
      JSON.stringify(fileOf(kind, { root, ldap: ldap() }), null, 2),
    );
  }

  for (const kind of kinds) {
    test.skipIf(kind.needsLdap === true && !managesLdap)(
      kind.kind,
      async () => {
        await using server = await serve(kind);
        for (const [who, repository, expected] of kind.asks) {
          const gets: Partial<Record<string, number>> = {};
          for (const verb of verbs.filter((each) => each in expected)) {
            gets[verb] = await server.ask(who, verb, repository);
          }
          const asked = { who: who.name, repository };
          expect({ ...asked, ...gets }).toEqual({ ...asked, ...expected });
        }
        expect(await server.warnings()).toEqual([...(kind.warnings ?? [])]);
        expect(await server.stop()).toBe(0);
      },
      testMs,
    );
  }

  test.each(kinds)("the same as YAML with keys in lower case: $kind", async (kind) => {
    const file = fileOf(kind, { root: "/srv", ldap: { port: 636, credentialsFile: "account" } });
    const asJson = await loadText(JSON.stringify(file), "config.json", {});
    expect(asJson).toHaveProperty("config");
    expect(await loadText(stringify(lowerCase(file)), "config.yaml", {})).toEqual(asJson);
  });

  async function serveHttp(http: object): Promise<Serving> {
    const listen = { address: "127.0.0.1", port: "0" };
    return await serve({ kind: "", http: () => ({ ...listen, ...http }), asks: [] });
  }

  test(
    "rates, of which a method's own is the lower one",
    async () => {
      const ratelimit = { rate: 100_000, methods: [{ method: "GET", rate: 1 }] };
      await using server = await serveHttp({ ratelimit });
      const many = async (method: string) =>
        await Promise.all(
          Array.from({ length: 30 }, () =>
            server.fetch(nobody, "/v2/", { method }).then((response) => response.status),
          ),
        );
      expect(new Set(await many("HEAD"))).toEqual(new Set([200]));
      expect(new Set(await many("GET"))).toEqual(new Set([200, 429]));
    },
    testMs,
  );

  test(
    "API keys",
    async () => {
      await using server = await serveHttp({ auth: { htpasswd: { path: "users" }, apikey: true } });
      const made = await server.fetch(user("ann"), "/zot/auth/apikey", {
        method: "POST",
        body: JSON.stringify({ label: "build", scopes: ["team/**"] }),
      });
      expect(made.status).toBe(201);
      const { apiKey } = (await made.json()) as { apiKey: string };
      expect(apiKey).toStartWith("zak_");
      expect(await server.ask(user("ann", apiKey), "push", "team/app")).toBe(201);
      expect(await server.ask(user("ann", apiKey), "push", "other/app")).toBe(401);
      expect(await server.ask(user("ben", apiKey), "ping", "team/app")).toBe(401);
    },
    testMs,
  );

  test(
    "tokens of a token service, by its certificate",
    async () => {
      const realm = "https://auth.example.com/token";
      const service = "registry.example.com";
      await using server = await serveHttp({
        auth: { bearer: { realm, service, cert: "tokens.crt" } },
      });
      const challenge = await server.fetch(nobody, "/v2/");
      expect(challenge.status).toBe(401);
      expect(challenge.headers.get("www-authenticate")).toBe(
        `Bearer realm="${realm}",service="${service}"`,
      );
      const access = [{ type: "repository", name: "team/app", actions: ["pull", "push"] }];
      const good = bearer(await world.token({ access }, service));
      expect(await server.ask(good, "push", "team/app")).toBe(201);
      expect(await server.ask(good, "pull", "team/app")).toBe(200);
      expect(await server.ask(good, "remove", "team/app")).toBe(401);
      expect(await server.ask(good, "push", "other/app")).toBe(401);
      const foreign = bearer(await world.token({ access }, "other.example.com"));
      expect(await server.ask(foreign, "pull", "team/app")).toBe(401);
    },
    testMs,
  );

  test(
    "ID tokens of workloads",
    async () => {
      const { privateKey, publicKey } = await generateKeyPair("ES256");
      using provider = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        routes: {
          "/.well-known/openid-configuration": ({ url }) => {
            const { origin } = new URL(url);
            return Response.json({ issuer: origin, jwks_uri: `${origin}/keys` });
          },
          "/keys": async () => Response.json({ keys: [await exportJWK(publicKey)] }),
        },
      });
      const issuer = provider.url.origin;
      const oidc = [
        {
          issuer,
          audiences: ["zot", "https://zot.example.com"],
          claimMapping: { username: "claims.sub" },
        },
      ];
      const subject = "system:serviceaccount:ci:builder";
      const policy = { users: [subject], actions: ["read", "create", "update", "delete"] };
      await using server = await serveHttp({
        auth: { bearer: { realm: "zot", service: "zot-service", oidc } },
        accessControl: { repositories: { "**": { policies: [policy] } } },
      });
      const idToken = async (sub: string, audience: string) =>
        await new SignJWT()
          .setProtectedHeader({ alg: "ES256" })
          .setSubject(sub)
          .setIssuer(issuer)
          .setAudience(audience)
          .setIssuedAt()
          .setExpirationTime("10m")
          .sign(privateKey);
      const good = bearer(await idToken(subject, "zot"), "builder");
      const other = bearer(await idToken("somebody", "zot"), "somebody");
      const astray = bearer(await idToken(subject, "elsewhere"), "astray");
      expect(await server.ask(nobody, "ping", "team/app")).toBe(401);
      expect(await server.ask(good, "push", "team/app")).toBe(201);
      expect(await server.ask(good, "remove", "team/app")).toBe(202);
      expect(await server.ask(other, "push", "team/app")).toBe(403);
      expect(await server.ask(astray, "ping", "team/app")).toBe(401);
    },
    testMs,
  );
});

/** Rows of keys that stop the start: no option serves them, and zot does not pass over them. */
function rowsNotServed(): KnownKey[] {
  const served = optionRows().map(({ path }) => `${path}.`);
  return knownKeys.filter(
    ({ path, warns }) => warns === undefined && !served.some((each) => each.startsWith(`${path}.`)),
  );
}

test("the guide to migration names the keys that stop the start, and no others", async () => {
  const page = await readFile(join(packageDirectory, "docs/guides/migrate.md"), "utf8");
  const [, table = ""] = /\| keys that stop the start \|\n(.+?)\n\n/s.exec(page) ?? [];
  const named = Array.from(table.matchAll(/`([\w.]+)`/g), ([, path]) => path);
  const ours = placedOptions().filter(({ option }) => !option.served);
  const paths = [...rowsNotServed(), ...ours].map(({ path }) => path);
  expect(new Set(named)).toEqual(new Set(paths));
});

test("what is not served stops the start: one line for each key, and nothing is listened on", async () => {
  const rows = rowsNotServed();
  const paths = rows.map(({ path }) => path);
  await using directory = await tempDirectory();
  const file = join(directory.path, "config.json");
  const asked = rows.map((row) => nested(row.path.split("."), askedOf(row)));
  await writeFile(file, JSON.stringify(asked.reduce(merged, {})));
  const output = await run(join(packageDirectory, "bin", "zot"), ["serve", file]);
  expect({ code: output.code, stdout: output.stdout }).toEqual({ code: 1, stdout: "" });
  const named: (string | undefined)[] = output.stderr
    .trimEnd()
    .split("\n")
    .map(
      (line) => /^([\w.]+): .+ is not served by this version yet; remove the key/.exec(line)?.[1],
    );
  expect(named).toBeArrayOfSize(paths.length);
  expect(new Set(named)).toEqual(new Set(paths));
});

/** A value that asks for something: the opposite of the row's own for nothing. */
function askedOf({ off, holds, switched }: KnownKey): unknown {
  if (holds !== undefined || switched === true) return {};
  return typeof off === "number" ? off + 1 : typeof off === "string" ? "some" : true;
}

type Section = { readonly [key: string]: unknown };

function nested([first = "", ...rest]: readonly string[], value: unknown): Section {
  return { [first]: rest.length === 0 ? value : nested(rest, value) };
}

function merged(a: Section, b: Section): Section {
  const result: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const old = result[key];
    result[key] = isSection(old) && isSection(value) ? merged(old, value) : value;
  }
  return result;
}

function isSection(value: unknown): value is Section {
  return typeof value === "object" && value !== null;
}
