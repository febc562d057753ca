// Tokens of outside issuers against real keys, files and servers: right ones, and every way to forge one.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, SignJWT, type JWK, type JWTPayload } from "jose";
import * as z from "zod";
import { TestAuthority } from "../../test/certificates.ts";
import { requireTool } from "../../test/processes.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { systemClock } from "../lib/clock.ts";
import type { Option } from "../lib/option.ts";
import { IssuerUnavailable, openBearer } from "./bearer.ts";
import { authOptions, type BearerOptions } from "./options.ts";
import { TokenRefused } from "./token_service.ts";

const schema = z.strictObject(
  Object.fromEntries(
    Object.entries<Option>(authOptions.bearer).map(([key, row]) => [
      key,
      row.type.prefault(row.default),
    ]),
  ),
);

function verifier(given: Record<string, unknown>, clock = systemClock) {
  const options = schema.parse({
    realm: "https://auth.example.com/token",
    service: "registry",
    ...given,
  }) as BearerOptions;
  return openBearer({ options, clock, onChange: () => {} });
}

const pairs = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  EdDSA: generateKeyPairSync("ed25519"),
};
type Algorithm = keyof typeof pairs;
const nowS = () => Math.floor(Date.now() / 1000);

const access = [{ type: "repository", name: "a/b", actions: ["pull", "push"] }];

interface Forged {
  readonly alg?: string;
  readonly key?: KeyObject;
  readonly header?: object;
  readonly claims?: JWTPayload;
}

async function sign({
  alg = "RS256",
  key,
  header = {},
  claims = {},
}: Forged = {}): Promise<string> {
  const signing = key ?? pairs[alg as Algorithm].privateKey;
  return await new SignJWT({
    iss: "https://issuer.example.com",
    aud: "registry",
    sub: "alice",
    iat: nowS(),
    nbf: nowS(),
    exp: nowS() + 300,
    access,
    ...claims,
  })
    .setProtectedHeader({ alg, ...header })
    .sign(signing);
}

/** A token put together by hand, for what no library makes. */
function raw(header: object, claims: object, signature = ""): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(claims)}.${signature}`;
}

async function outcome(verify: ((token: string) => Promise<unknown>) | null, token: string) {
  return await verify!(token).then(
    () => "accepted",
    (error: unknown) => (error instanceof TokenRefused ? "refused" : String(error)),
  );
}

const pem = (algorithm: Algorithm) =>
  pairs[algorithm].publicKey.export({ type: "spki", format: "pem" });

let directory: TempDirectory;
beforeAll(async () => {
  directory = await tempDirectory();
});
afterAll(() => directory[Symbol.asyncDispose]());

async function keyFile(name: string, text: string): Promise<string> {
  const path = join(directory.path, name);
  await writeFile(path, text);
  return path;
}

describe("a token service's tokens", () => {
  test.each(Object.keys(pairs) as Algorithm[])("%s with a PEM key", async (algorithm) => {
    const cert = await keyFile(`${algorithm}.pem`, pem(algorithm));
    const proven = await verifier({ cert }).access!(await sign({ alg: algorithm }));
    expect(proven.identity).toMatchObject({
      name: "alice",
      groups: [],
      provenBy: "outside token",
      scopeDecides: true,
    });
    const { scope } = proven.identity;
    expect(scope?.allows("push", "a/b")).toBe(true);
    expect(scope?.allows("delete", "a/b")).toBe(false);
    expect(scope?.allows("pull", "a/c")).toBe(false);
    expect(proven.expiresAt).toBeGreaterThan(Date.now() + 200_000);
  });

  test.skipIf(!requireTool("openssl"))("a certificate in place of the key", async () => {
    const authority = await TestAuthority.make(directory.path, "signer");
    const { createPrivateKey } = await import("node:crypto");
    const key = createPrivateKey(await Bun.file(authority.key).text());
    const verify = verifier({ cert: authority.cert }).access;
    expect(await outcome(verify, await sign({ alg: "ES256", key }))).toBe("accepted");
    expect(await outcome(verify, await sign({ alg: "ES256" }))).toBe("refused");
  });

  test.skipIf(!requireTool("openssl"))("every certificate and key of a file counts", async () => {
    const { createPrivateKey } = await import("node:crypto");
    const signers = await Promise.all(
      ["first", "second"].map(async (name) => {
        const authority = await TestAuthority.make(directory.path, name);
        const key = createPrivateKey(await Bun.file(authority.key).text());
        return { key, text: await Bun.file(authority.cert).text() };
      }),
    );
    const texts = [...signers.map(({ text }) => text), pem("RS256"), pem("ES384")];
    // What stands between the blocks, as `openssl x509 -text` writes it, is no key.
    const verify = verifier({
      cert: await keyFile("many.pem", texts.join("\nIssuer: x\n")),
    }).access;
    for (const { key } of signers) {
      expect(await outcome(verify, await sign({ alg: "ES256", key }))).toBe("accepted");
    }
    for (const alg of ["RS256", "ES384"] as const) {
      expect(await outcome(verify, await sign({ alg }))).toBe("accepted");
    }
    for (const alg of ["ES256", "EdDSA"] as const) {
      expect(await outcome(verify, await sign({ alg }))).toBe("refused");
    }
  });

  test("a key set, by the key's name", async () => {
    const keys: JWK[] = [
      { ...(await exportJWK(pairs.RS256.publicKey)), kid: "one" },
      { ...(await exportJWK(pairs.ES256.publicKey)), kid: "two" },
    ];
    const cert = await keyFile("keys.json", JSON.stringify({ keys }));
    const verify = verifier({ cert }).access;
    expect(await outcome(verify, await sign({ header: { kid: "one" } }))).toBe("accepted");
    expect(await outcome(verify, await sign({ alg: "ES256", header: { kid: "two" } }))).toBe(
      "accepted",
    );
    for (const kid of ["two", "three", "", "../one", "' OR 1=1 --", "x".repeat(10_000)]) {
      expect(await outcome(verify, await sign({ header: { kid } }))).toBe("refused");
    }
  });

  const wrong: [says: string, forged: Forged][] = [
    ["expired", { claims: { exp: nowS() - 120 } }],
    ["without an end", { claims: { exp: undefined } as never }],
    ["not yet valid", { claims: { nbf: nowS() + 300 } }],
    ["from the future", { claims: { iat: nowS() + 300 } }],
    ["for another service", { claims: { aud: "other" } }],
    ["for nobody", { claims: { aud: undefined } as never }],
    ["for several others", { claims: { aud: ["other", "registry2", "REGISTRY"] } }],
    ["for a thing that is no text", { claims: { aud: { registry: true } } as never }],
    ["for a list in a list", { claims: { aud: [["registry"]] } as never }],
    ["with an end that is text", { claims: { exp: String(nowS() + 300) } as never }],
    ["with an end that is none", { claims: { exp: null } as never }],
    ["with an end before all time", { claims: { exp: -1e300 } }],
    ["with a beginning that is text", { claims: { nbf: String(nowS()) } as never }],
    ["that begins after all time", { claims: { nbf: 1e300 } }],
    ["issued at a text", { claims: { iat: String(nowS()) } as never }],
    ["issued after all time", { claims: { iat: 1e300 } }],
    ["of another issuer", { claims: { iss: "https://evil.example.com" } }],
    [
      "signed by another key",
      { key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey },
    ],
    ["of another algorithm than allowed", { alg: "RS256", header: { alg: "PS256" } }],
  ];
  for (const [says, forged] of wrong) {
    test(`${says} is refused`, async () => {
      const cert = await keyFile("rsa.pem", pem("RS256"));
      const verify = verifier({
        cert,
        issuer: "https://issuer.example.com",
        algorithms: ["RS256"],
      }).access;
      expect(await outcome(verify, await sign())).toBe("accepted");
      expect(await outcome(verify, await sign(forged).catch(() => "x.y.z"))).toBe("refused");
    });
  }

  test("for us among others is accepted, and so is an end that is far off", async () => {
    const cert = await keyFile("rsa.pem", pem("RS256"));
    const verify = verifier({ cert }).access!;
    const claims = { aud: ["other", "registry"], exp: 1e300 };
    expect(await verify(await sign({ claims }))).toMatchObject({ identity: { name: "alice" } });
  });

  test("a clock that is a minute off is no matter, two are", async () => {
    const cert = await keyFile("rsa.pem", pem("RS256"));
    const verify = verifier({ cert }).access;
    expect(await outcome(verify, await sign({ claims: { exp: nowS() - 30 } }))).toBe("accepted");
    expect(await outcome(verify, await sign({ claims: { nbf: nowS() + 30 } }))).toBe("accepted");
    expect(await outcome(verify, await sign({ claims: { exp: nowS() - 120 } }))).toBe("refused");
  });

  test("forgeries are refused: no algorithm, the public key as a secret, a key that the token brings", async () => {
    const cert = await keyFile("rsa.pem", pem("RS256"));
    const verify = verifier({ cert }).access;
    const claims = { iss: "x", aud: "registry", sub: "admin", exp: nowS() + 300, access };
    for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
      expect(await outcome(verify, raw({ alg }, claims))).toBe("refused");
    }
    for (const secret of [pem("RS256"), pem("RS256").trim(), ""]) {
      const unsigned = raw({ alg: "HS256", typ: "JWT" }, claims).replace(/\.$/, "");
      const signature = createHmac("sha256", secret).update(unsigned).digest("base64url");
      expect(await outcome(verify, `${unsigned}.${signature}`)).toBe("refused");
    }
    const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwk = await exportJWK(own.publicKey);
    const headers = [
      { jwk },
      { jku: "https://evil.example.com/keys" },
      { x5u: "https://evil.example.com/cert" },
      { x5c: ["MIIB"] },
      { crit: ["exp"], exp: 1 },
      { b64: false, crit: ["b64"] },
    ];
    for (const header of headers) {
      const token = await sign({ key: own.privateKey, header }).catch(() => "x.y.z");
      expect(await outcome(verify, token)).toBe("refused");
    }
    // The signature of one token does not fit another.
    const [head = "", , signature = ""] = (await sign()).split(".");
    const claims64 = Buffer.from(JSON.stringify(claims)).toString("base64url");
    expect(await outcome(verify, `${head}.${claims64}.${signature}`)).toBe("refused");
  });

  test.each(["", ".", "..", "a.b.c", "a", "....", "x".repeat(9000), `${"a.".repeat(4000)}b`])(
    "%p is no token",
    async (token) => {
      const cert = await keyFile("rsa.pem", pem("RS256"));
      expect(await outcome(verifier({ cert }).access, token)).toBe("refused");
    },
  );

  test("entries of access with odd shapes, or that have ended, grant nothing", async () => {
    const cert = await keyFile("rsa.pem", pem("RS256"));
    const entries = [
      null,
      "repository:a:pull",
      { type: "repository", name: "a" },
      { type: "repository", name: "a", actions: "pull" },
      { type: "repository", name: 5, actions: ["pull"] },
      { type: "repository", name: "ended", actions: ["pull"], exp: nowS() - 10 },
      { type: "repository", name: "odd", actions: ["pull"], exp: "never" },
      { type: "repository", name: "soon", actions: ["pull"], exp: nowS() + 30 },
    ];
    const token = await sign({ claims: { access: entries } });
    const { identity, expiresAt } = await verifier({ cert }).access!(token);
    for (const name of ["a", "ended", "odd"]) {
      expect(identity.scope?.allows("pull", name)).toBe(false);
    }
    expect(identity.scope?.allows("pull", "soon")).toBe(true);
    // What ends first ends the proof.
    expect(expiresAt).toBeLessThan(Date.now() + 31_000);
    const none = await sign({ claims: { access: undefined, sub: undefined } as never });
    expect((await verifier({ cert }).access!(none)).identity.name).toBe("");
  });

  const bad: [name: string, text: string, says: string][] = [
    ["empty", "", "expected a key in PEM or a JSON Web Key Set"],
    ["text", "hello", "expected a key in PEM or a JSON Web Key Set"],
    ["broken", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "in PEM"],
    [
      "private",
      pairs.RS256.privateKey.export({ type: "pkcs8", format: "pem" }),
      "got a private key",
    ],
    ["half", `${pem("RS256")}-----BEGIN PUBLIC KEY-----\nAAAA`, "got a block without its end"],
    [
      "half-broken",
      `${pem("RS256")}${pem("RS256").replace(/MII\w+/, "AAAA")}`,
      "block 2: expected a public key",
    ],
    [
      "half-private",
      `${pem("RS256")}${pairs.RS256.privateKey.export({ type: "pkcs8", format: "pem" })}`,
      "block 2: expected a public key or certificate, got a private key",
    ],
    ["no-key", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "got X509 CRL"],
    ["too-many", pem("EdDSA").repeat(33), "expected up to 32 keys, got 33"],
    ["secret", JSON.stringify({ keys: [{ kty: "oct", k: "c2VjcmV0" }] }), "got a secret one"],
    ["unusable", JSON.stringify({ keys: [{ kty: "EC", crv: "secp256k1" }] }), "got none"],
    ["for-encryption", JSON.stringify({ keys: [{ kty: "RSA", use: "enc" }] }), "got none"],
  ];
  for (const [name, text, says] of bad) {
    test(`a key file that is ${name} stops the start`, async () => {
      const cert = await keyFile(name, text);
      expect(() => verifier({ cert })).toThrow(says);
    });
  }
});

/** An OpenID issuer on this machine, whose keys and answers a test may change. */
function startIssuer() {
  const state = {
    keys: [] as JWK[],
    document: {} as Record<string, unknown>,
    fetched: [] as string[],
    answer: null as ((path: string) => Response | Promise<Response>) | null,
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      state.fetched.push(pathname);
      if (state.answer !== null) return state.answer(pathname);
      if (pathname === "/.well-known/openid-configuration") return Response.json(state.document);
      return Response.json({ keys: state.keys });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  state.document = { issuer: url, jwks_uri: `${url}/keys` };
  return { ...state, state, url, [Symbol.asyncDispose]: () => server.stop(true) };
}

describe("an OpenID issuer's tokens", () => {
  const idToken = async (iss: string, forged: Forged = {}) =>
    await sign({
      ...forged,
      header: { kid: "one", ...forged.header },
      claims: { iss, aud: "zot", sub: "system:serviceaccount:ci:builder", ...forged.claims },
    });
  const withKey = async (issuer: ReturnType<typeof startIssuer>) => {
    issuer.state.keys.push({ ...(await exportJWK(pairs.RS256.publicKey)), kid: "one" });
  };
  const workload = (url: string, more: object = {}, clock = systemClock) =>
    verifier(
      { realm: "", service: "", oidc: [{ issuer: url, audiences: ["zot", "other"], ...more }] },
      clock,
    ).workload;

  test("are found by discovery, once, and become users", async () => {
    await using issuer = startIssuer();
    await withKey(issuer);
    const verify = workload(issuer.url);
    const { identity } = await verify!(await idToken(issuer.url));
    expect(identity).toMatchObject({
      name: `${issuer.url}/system:serviceaccount:ci:builder`,
      groups: [],
      provenBy: "workload",
      scope: null,
    });
    await verify!(await idToken(issuer.url));
    expect(issuer.state.fetched).toEqual(["/.well-known/openid-configuration", "/keys"]);
  });

  test("are mapped by their claims", async () => {
    await using issuer = startIssuer();
    await withKey(issuer);
    const verify = workload(issuer.url, {
      claimMapping: {
        username: "claims.sub.split(':')[3]",
        groups: "claims.groups",
        validations: [{ expression: "claims.org == 'ours'", message: "not of our organisation" }],
      },
    });
    const token = await idToken(issuer.url, { claims: { org: "ours", groups: ["ci"] } });
    expect((await verify!(token)).identity).toMatchObject({ name: "builder", groups: ["ci"] });
    expect(await outcome(verify, await idToken(issuer.url, { claims: { org: "theirs" } }))).toBe(
      "refused",
    );
  });

  test("of others, for others, or ended, are refused", async () => {
    await using issuer = startIssuer();
    await withKey(issuer);
    const verify = workload(issuer.url);
    const wrong: [string, Forged][] = [
      ["https://evil.example.com", {}],
      [issuer.url, { claims: { aud: "elsewhere" } }],
      [issuer.url, { claims: { exp: nowS() - 120 } }],
      [issuer.url, { header: { kid: "unknown" } }],
      [issuer.url, { key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }],
      [issuer.url, { alg: "ES256" }],
    ];
    for (const [iss, forged] of wrong) {
      expect(await outcome(verify, await idToken(iss, forged))).toBe("refused");
    }
    expect(await outcome(verify, "nonsense")).toBe("refused");
  });

  const unwilling: [says: string, answer: (path: string) => Response | Promise<Response>][] = [
    ["answers 500", () => new Response("no", { status: 500 })],
    ["redirects", () => Response.redirect("http://127.0.0.1:1/", 302)],
    ["sends no JSON", () => new Response("<html>")],
    ["sends without end", () => new Response("x".repeat(3_000_000))],
    [
      "names another issuer",
      () => Response.json({ issuer: "https://evil", jwks_uri: "http://127.0.0.1:1/k" }),
    ],
    [
      "names keys over plain HTTP elsewhere",
      () => Response.json({ jwks_uri: "http://10.0.0.1/keys" }),
    ],
    ["names no keys", () => Response.json({})],
  ];
  for (const [says, answer] of unwilling) {
    test(`an issuer that ${says} is unavailable, and asked again later, not at once`, async () => {
      await using issuer = startIssuer();
      await withKey(issuer);
      let shiftMs = 0;
      const clock = { ...systemClock, monotonicMs: () => performance.now() + shiftMs };
      const verify = workload(issuer.url, {}, clock);
      issuer.state.answer = answer;
      for (let at = 0; at < 5; at += 1) {
        const failure = await verify!(await idToken(issuer.url)).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(IssuerUnavailable);
      }
      expect(issuer.state.fetched.length).toBeLessThanOrEqual(1);
      issuer.state.answer = null;
      shiftMs += 2_500;
      expect(await outcome(verify, await idToken(issuer.url))).toBe("accepted");
    });
  }

  test("keys that are known are good while the issuer fails, whatever others ask for", async () => {
    await using issuer = startIssuer();
    await withKey(issuer);
    let shiftMs = 0;
    const clock = { ...systemClock, monotonicMs: () => performance.now() + shiftMs };
    const verify = workload(issuer.url, {}, clock);
    expect(await outcome(verify, await idToken(issuer.url))).toBe("accepted");
    issuer.state.answer = () => new Response("no", { status: 500 });
    for (let at = 0; at < 5; at += 1) {
      await outcome(verify, await idToken(issuer.url, { header: { kid: `unknown${at}` } }));
      expect(await outcome(verify, await idToken(issuer.url))).toBe("accepted");
    }
    expect(issuer.state.fetched.length).toBeLessThanOrEqual(3);
  });

  test("keys at a URL that are no key set are unavailable, not none", async () => {
    await using issuer = startIssuer();
    issuer.state.answer = () => Response.json({ error: "maintenance" });
    const verify = verifier({ jwksUrl: `${issuer.url}/keys` }).access;
    const token = await sign({ header: { kid: "one" } });
    const failure = await verify!(token).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(IssuerUnavailable);
  });

  test("keys at a URL serve a token service as well", async () => {
    await using issuer = startIssuer();
    await withKey(issuer);
    const verify = verifier({ jwksUrl: `${issuer.url}/keys` }).access;
    expect(await outcome(verify, await sign({ header: { kid: "one" } }))).toBe("accepted");
    expect(await outcome(verify, await sign({ header: { kid: "two" } }))).toBe("refused");
  });
});
