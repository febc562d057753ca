// Logins for upstreams: where they come from, when they are read or fetched again, and that nothing of them is said.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { importSPKI, jwtVerify } from "jose";
import type { Credentials, CredentialSource } from "../../src/client/client_auth.ts";
import { helperMsMax } from "../../src/client/docker_login.ts";
import { type Clock, manualClock, systemClock } from "../../src/lib/clock.ts";
import { openLoginFile } from "../../src/extensions/sync/upstream/credentials/login_file.ts";
import {
  loginSource,
  type SourceParts,
} from "../../src/extensions/sync/upstream/credentials/login_source.ts";
import { egressRoute } from "../../src/extensions/sync/upstream/egress.ts";
import { eventually } from "../processes.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { openUpstream, troubleOf } from "./open_upstream.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";
import { syncValues } from "./sync_values.ts";

let directory: TempDirectory;
let service: ScriptedUpstream;
let serial = 0;

beforeAll(async () => {
  directory = await tempDirectory();
  service = await ScriptedUpstream.start();
});
afterEach(() => {
  service.reset();
  service.requests.length = 0;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function fileOf(content: string | object): Promise<string> {
  serial += 1;
  const path = join(directory.path, `file${serial}`);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function partsOf(given: Partial<SourceParts> = {}): SourceParts {
  const { clock = systemClock, env = {} } = given;
  return {
    clock,
    env: { HOME: directory.path, ...env },
    tls: {},
    file: null,
    dockerFiles: [],
    report: () => {},
    routeTo: (upstream) =>
      egressRoute({ upstream, allowRedirectHosts: [], proxy: null, env: {}, tls: {}, clock }),
    ...(given.env === undefined
      ? given
      : { ...given, env: { HOME: directory.path, ...given.env } }),
  };
}

/** The source for one URL of an entry with these keys. */
function sourceOf(
  keys: Record<string, unknown>,
  given: Partial<SourceParts> = {},
  url = "https://registry.example.com:5000",
): CredentialSource {
  const [entry] = syncValues({ registries: [{ urls: [url], onDemand: true, ...keys }] }).registries;
  if (entry === undefined) throw new Error("no entry");
  return loginSource(url, entry, partsOf(given));
}

const password = (user: string, secret: string): Credentials => ({
  kind: "password",
  user,
  password: secret,
});
const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => "no failure", String);

describe("files", () => {
  test("the entry's own comes first, then the file of all logins, then Docker's", async () => {
    const docker = await fileOf({
      auths: {
        "registry.example.com:5000": { auth: btoa("docker:d") },
        "quay.io": { auth: btoa("docker:q") },
      },
    });
    const path = await fileOf({
      "registry.example.com:5000": { username: "file", password: "f" },
      "index.docker.io": { Username: "hub", Password: "h" },
    });
    const file = openLoginFile(path, { clock: systemClock, report: () => {} });
    const all = { file, dockerFiles: [docker] };
    const passwordFile = await fileOf("from file\n");
    const rows: [Record<string, unknown>, Partial<SourceParts>, string, Credentials][] = [
      [
        { credentials: { username: "u", password: "p" } },
        all,
        "https://registry.example.com:5000",
        password("u", "p"),
      ],
      [
        { credentials: { username: "u", passwordFile } },
        all,
        "https://registry.example.com:5000",
        password("u", "from file"),
      ],
      [{}, all, "https://registry.example.com:5000", password("file", "f")],
      [{}, all, "https://registry-1.docker.io", password("hub", "h")],
      [{}, all, "https://quay.io", password("docker", "q")],
      [{}, { dockerFiles: [docker] }, "https://registry.example.com:5000", password("docker", "d")],
      [{}, all, "https://ghcr.io", { kind: "anonymous" }],
    ];
    for (const [keys, parts, url, expected] of rows) {
      expect(await sourceOf(keys, parts, url)(false), url).toEqual(expected);
    }
  });

  test("row 54: a file of logins that changed counts for the next request", async () => {
    await using upstream = await ScriptedUpstream.start({ basic: { user: "u", password: "new" } });
    upstream.content.addImage("a", "1");
    const path = await fileOf({ [upstream.host]: { username: "u", password: "old" } });
    const problems: (string | null)[] = [];
    const file = openLoginFile(path, { clock: systemClock, report: (each) => problems.push(each) });
    const credentials = sourceOf({}, { file }, upstream.url);
    const mirror = openUpstream({ url: upstream.url, credentials });
    const refused = await troubleOf(mirror.headManifest("a", "1"));
    expect([refused.kind, refused.hasLogin]).toEqual(["denied", true]);
    await writeFile(path, JSON.stringify({ [upstream.host]: { username: "u", password: "new" } }));
    await eventually("the new login is used", () =>
      mirror.headManifest("a", "1").then(
        (head) => head !== null,
        () => false,
      ),
    );
    // What is no file of logins is told, and the old ones stay.
    await writeFile(path, '{"x": {"username": "s3cret"}}');
    await eventually("the problem is told", async () => {
      await mirror.headManifest("a", "1");
      return problems.some((each) => each !== null);
    });
    expect(problems.join("\n")).toContain(`expected username and password of "x"`);
    expect(problems.join("\n")).not.toContain("s3cret");
    mirror.close();
  });

  test("a file of logins that cannot be used stops the start in one line", async () => {
    const open = (path: string) => () =>
      openLoginFile(path, { clock: systemClock, report: () => {} });
    expect(open("/nowhere/logins.json")).toThrow("/nowhere/logins.json: expected a file");
    expect(open(await fileOf("[]"))).toThrow("expected a JSON object of registries");
  });

  test("Docker's file that changed counts, one that nobody may read or that is not there does not", async () => {
    const docker = await fileOf({ auths: { "quay.io": { auth: btoa("u:1") } } });
    const source = sourceOf({}, { dockerFiles: ["/nowhere", docker] }, "https://quay.io");
    expect(await source(false)).toEqual(password("u", "1"));
    await writeFile(docker, JSON.stringify({ auths: { "quay.io": { auth: btoa("u:second") } } }));
    expect(await source(false)).toEqual(password("u", "second"));
  });
});

describe("programs (docker-credential-…)", () => {
  async function programOf(script: string): Promise<{ name: string; path: string }> {
    serial += 1;
    const path = join(directory.path, "bin");
    await mkdir(path, { recursive: true });
    const file = join(path, `docker-credential-mirror${serial}`);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    return { name: `mirror${serial}`, path };
  }

  test("what it says is kept for a while, and asked for anew when it was refused", async () => {
    const clock = manualClock(1_800_000_000_000);
    const calls = join(directory.path, "calls");
    const { name, path } = await programOf(
      `echo x >> ${calls}; n=$(wc -l < ${calls}); echo "{\\"Username\\":\\"u\\",\\"Secret\\":\\"$n\\"}"`,
    );
    const env = { PATH: path };
    const source = sourceOf({ credentialHelper: name }, { clock, env });
    const secret = async (anew: boolean): Promise<string> => {
      const found = await source(anew);
      return found.kind === "password" ? found.password.trim() : found.kind;
    };
    expect([await secret(false), await secret(false), await secret(true)]).toEqual(["1", "1", "1"]);
    await clock.advance(31_000);
    expect([await secret(true), await secret(false)]).toEqual(["2", "2"]);
    await clock.advance(6 * 60_000);
    expect(await secret(false)).toBe("3");
  });

  test("row 55: one that hangs is ended after 10 s, and nobody is asked without a login", async () => {
    const clock = manualClock(1_800_000_000_000);
    const { name, path } = await programOf("exec /bin/sleep 1000");
    await using upstream = await ScriptedUpstream.start();
    const credentials = sourceOf({ credentialHelper: name }, { clock, env: { PATH: path } });
    const mirror = openUpstream({ url: upstream.url, credentials });
    let ended = false;
    const asked = troubleOf(mirror.headManifest("a", "1")).finally(() => (ended = true));
    // The program runs once its time has begun.
    await eventually("the program is asked", async () => {
      await clock.advance(helperMsMax);
      return ended;
    });
    const trouble = await asked;
    expect(trouble.kind).toBe("broken");
    expect(trouble.message).toContain("did not answer within 10 s");
    expect(upstream.requests).toHaveLength(0);
    mirror.close();
  });
});

const hour = 3_600_000;

describe("AWS", () => {
  const host = "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com";
  const keys = {
    AWS_ACCESS_KEY_ID: "AKID",
    AWS_SECRET_ACCESS_KEY: "s3cret",
    AWS_SESSION_TOKEN: "session",
  };

  /** ECR that numbers its passwords, each good for twelve hours. */
  function serveEcr(clock: Clock): void {
    let issued = 0;
    service.on("POST", "/", () => {
      issued += 1;
      const authorizationToken = btoa(`AWS:password${issued}`);
      const expiresAt = (clock.now() + 12 * hour) / 1000;
      return { body: JSON.stringify({ authorizationData: [{ authorizationToken, expiresAt }] }) };
    });
  }

  test("row 56: a password is fetched with a signed request, and once more an hour before its end", async () => {
    const clock = manualClock(Date.UTC(2026, 10, 1));
    serveEcr(clock);
    const env = { ...keys, AWS_ENDPOINT_URL_ECR: service.url };
    const source = sourceOf({ credentialHelper: "ecr" }, { clock, env }, host);
    const both = await Promise.all([source(false), source(false)]);
    expect(both).toEqual([password("AWS", "password1"), password("AWS", "password1")]);
    const [request] = service.requests;
    const lines = Object.fromEntries(request?.headers ?? []);
    expect(lines["x-amz-target"]).toBe(
      "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    );
    expect(lines["x-amz-security-token"]).toBe("session");
    expect(lines["authorization"]).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/ecr\/aws4_request, SignedHeaders=[^ ]*host[^ ]*, Signature=[0-9a-f]{64}$/,
    );
    expect(JSON.parse(Buffer.from(request?.body ?? []).toString())).toEqual({
      registryIds: ["123456789012"],
    });
    await clock.advance(11 * hour - 1000);
    expect(await source(false)).toEqual(password("AWS", "password1"));
    await clock.advance(2000);
    const renewed = await Promise.all([source(false), source(false), source(false)]);
    expect(new Set(renewed.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(renewed[0]).toEqual(password("AWS", "password2"));
    expect(service.requests).toHaveLength(2);
  });

  test("when fetching fails, the old one counts while it lasts", async () => {
    const clock = manualClock(Date.UTC(2026, 10, 1));
    serveEcr(clock);
    const env = { ...keys, AWS_ENDPOINT_URL_ECR: service.url };
    const source = sourceOf({ credentialHelper: "ecr" }, { clock, env }, host);
    await source(false);
    service.on("POST", "/", {
      status: 400,
      body: '{"__type":"AccessDeniedException","message":"s3cret"}',
    });
    await clock.advance(11.5 * hour);
    expect(await source(false)).toEqual(password("AWS", "password1"));
    await clock.advance(hour);
    const failure = await failureOf(source(false));
    expect(failure).toContain(
      "it answered 400 (AccessDeniedException) where a login was asked for",
    );
    expect(failure).not.toContain("s3cret");
  });

  test("keys by web identity, by the shared file, by the container and by the machine", async () => {
    serveEcr(systemClock);
    const token = await fileOf("identity\n");
    const credentials = await fileOf(
      "[default]\naws_access_key_id = NO\n[other]\naws_access_key_id = FILE\naws_secret_access_key = x\n",
    );
    service.on("POST", "/sts/", {
      body: "<r><AccessKeyId>STS</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken></r>",
    });
    service.on("GET", "/container", {
      body: JSON.stringify({ AccessKeyId: "BOX", SecretAccessKey: "x", Token: "t" }),
    });
    service.on("PUT", "/latest/api/token", { body: "imds" });
    service.on("GET", "/latest/meta-data/iam/security-credentials/", { body: "role\n" });
    service.on("GET", "/latest/meta-data/iam/security-credentials/role", {
      body: JSON.stringify({ AccessKeyId: "IMDS", SecretAccessKey: "x", Token: "t" }),
    });
    const rows: [Record<string, string>, string][] = [
      [
        {
          AWS_WEB_IDENTITY_TOKEN_FILE: token,
          AWS_ROLE_ARN: "arn",
          AWS_ENDPOINT_URL_STS: `${service.url}/sts`,
        },
        "STS",
      ],
      [{ AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_PROFILE: "other" }, "FILE"],
      [
        {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service.url}/container`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN: "box",
        },
        "BOX",
      ],
      [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url }, "IMDS"],
    ];
    for (const [env, key] of rows) {
      service.requests.length = 0;
      const all = { ...env, AWS_ENDPOINT_URL_ECR: service.url };
      await sourceOf({ credentialHelper: "ecr" }, { env: all }, host)(false);
      expect(service.requests.at(-1)?.headers.get("authorization")).toContain(`Credential=${key}/`);
    }
    const form = new URLSearchParams(
      Buffer.from(service.asked("POST", "/sts/")[0]?.body ?? []).toString(),
    );
    expect(form.get("WebIdentityToken") ?? "identity").toBe("identity");
    const none = { AWS_EC2_METADATA_DISABLED: "true", AWS_ENDPOINT_URL_ECR: service.url };
    expect(
      await failureOf(sourceOf({ credentialHelper: "ecr" }, { env: none }, host)(false)),
    ).toContain("no keys found");
    expect(await failureOf(sourceOf({ credentialHelper: "ecr" })(false))).toContain(
      "expected <account>.dkr.ecr.<region>.amazonaws.com",
    );
  });
});

describe("Google", () => {
  const token = { body: JSON.stringify({ access_token: "ya29", expires_in: 3600 }) };
  const login = password("oauth2accesstoken", "ya29");
  const url = "https://europe-docker.pkg.dev";
  const get = (env: Record<string, string>): Promise<Credentials> =>
    sourceOf({ credentialHelper: "gcp" }, { env }, url)(false);
  const formOf = (): Record<string, string> =>
    Object.fromEntries(
      new URLSearchParams(Buffer.from(service.requests.at(-1)?.body ?? []).toString()),
    );

  test("the machine's metadata service", async () => {
    service.on("GET", "/computeMetadata/v1/instance/service-accounts/default/token", token);
    expect(await get({ GCE_METADATA_HOST: service.host })).toEqual(login);
    expect(service.requests[0]?.headers.get("metadata-flavor")).toBe("Google");
  });

  test("a service account signs for itself", async () => {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    service.on("POST", "/token", token);
    const file = await fileOf({
      type: "service_account",
      client_email: "zot@example.iam.gserviceaccount.com",
      private_key: pair.privateKey.export({ type: "pkcs8", format: "pem" }),
      private_key_id: "k1",
      token_uri: `${service.url}/token`,
    });
    expect(await get({ GOOGLE_APPLICATION_CREDENTIALS: file })).toEqual(login);
    const form = formOf();
    const key = await importSPKI(pair.publicKey.export({ type: "spki", format: "pem" }), "RS256");
    const { payload, protectedHeader } = await jwtVerify(form["assertion"] ?? "", key, {
      audience: `${service.url}/token`,
    });
    expect([payload["scope"], protectedHeader.kid]).toEqual([
      "https://www.googleapis.com/auth/cloud-platform.read-only",
      "k1",
    ]);
  });

  test("a user's own file, where gcloud keeps it", async () => {
    service.on("POST", "/token", token);
    const config = join(directory.path, "gcloud");
    await mkdir(config);
    await writeFile(
      join(config, "application_default_credentials.json"),
      JSON.stringify({
        type: "authorized_user",
        client_id: "i",
        client_secret: "s",
        refresh_token: "r",
        token_uri: `${service.url}/token`,
      }),
    );
    expect(await get({ CLOUDSDK_CONFIG: config })).toEqual(login);
    expect(formOf()).toEqual({
      grant_type: "refresh_token",
      client_id: "i",
      client_secret: "s",
      refresh_token: "r",
    });
  });

  test("workload identity, and the account it stands in for", async () => {
    service.on("POST", "/sts", token);
    service.on("POST", "/impersonate", {
      body: JSON.stringify({ accessToken: "ya30", expireTime: "2999-01-01T00:00:00Z" }),
    });
    const subject = await fileOf({ id_token: "subject" });
    const account = {
      type: "external_account",
      audience: "//iam.googleapis.com/x",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${service.url}/sts`,
      credential_source: {
        file: subject,
        format: { type: "json", subject_token_field_name: "id_token" },
      },
    };
    expect(await get({ GOOGLE_APPLICATION_CREDENTIALS: await fileOf(account) })).toEqual(login);
    expect(formOf()["subject_token"]).toBe("subject");
    const impersonating = {
      ...account,
      service_account_impersonation_url: `${service.url}/impersonate`,
    };
    expect(await get({ GOOGLE_APPLICATION_CREDENTIALS: await fileOf(impersonating) })).toEqual(
      password("oauth2accesstoken", "ya30"),
    );
    expect(service.requests.at(-1)?.headers.get("authorization")).toBe("Bearer ya29");
  });

  test("what is not understood is said", async () => {
    const file = await fileOf({ type: "impersonated_service_account" });
    expect(await failureOf(get({ GOOGLE_APPLICATION_CREDENTIALS: file }))).toContain(
      "expected credentials of the type",
    );
    expect(await failureOf(get({ GOOGLE_APPLICATION_CREDENTIALS: "/nowhere" }))).toContain(
      "/nowhere cannot be read",
    );
  });
});

describe("OAuth 2.0", () => {
  const get = (oauth2: Record<string, unknown>, clock: Clock = systemClock): CredentialSource =>
    sourceOf(
      {
        credentialHelper: "oauth2",
        oauth2CredentialHelper: { tokenURL: `${service.url}/token`, ...oauth2 },
      },
      { clock },
    );
  const formOf = (): Record<string, string> =>
    Object.fromEntries(
      new URLSearchParams(Buffer.from(service.requests.at(-1)?.body ?? []).toString()),
    );
  const token = { body: JSON.stringify({ access_token: "access", expires_in: 600 }) };

  test("an assertion from a file, read for each token, in each kind of grant", async () => {
    service.on("POST", "/token", token);
    const assertionFile = await fileOf("assertion\n");
    const clientSecretFile = await fileOf("secret\n");
    const common = { assertionFile, clientID: "zot" };
    const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    const exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    expect(await get({ ...common, clientSecretFile, scopes: ["a", "b"] })(false)).toEqual({
      kind: "refreshToken",
      token: "access",
    });
    expect(formOf()).toEqual({
      grant_type: "client_credentials",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: "assertion",
      client_id: "zot",
      client_secret: "secret",
      scope: "a b",
    });
    expect(await get({ ...common, grantType: jwtBearer, username: "me" })(false)).toEqual(
      password("me", "access"),
    );
    expect(formOf()).toEqual({ grant_type: jwtBearer, assertion: "assertion", client_id: "zot" });
    await get({ assertionFile, grantType: exchange, audience: "//pool", username: "<token>" })(
      false,
    );
    expect(formOf()).toEqual({
      grant_type: exchange,
      subject_token: "assertion",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
      audience: "//pool",
    });
  });

  test.each(["pkcs8", "pkcs1"] as const)(
    "an assertion signed here with a key in %s, another one each time",
    async (type) => {
      const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const clock = manualClock(Date.UTC(2026, 10, 1));
      const privateKeyFile = await fileOf(pair.privateKey.export({ type, format: "pem" }));
      const signingFile = await fileOf({
        privateKeyFile,
        algorithm: "RS256",
        keyId: "k",
        issuer: "iss",
        audience: "aud",
      });
      service.on("POST", "/token", token);
      const source = get({ signingFile, clientID: "zot" }, clock);
      await source(false);
      const first = formOf()["client_assertion"] ?? "";
      await clock.advance(550_000);
      await source(false);
      const second = formOf()["client_assertion"] ?? "";
      const key = await importSPKI(pair.publicKey.export({ type: "spki", format: "pem" }), "RS256");
      const verified = await jwtVerify(first, key, {
        audience: "aud",
        issuer: "iss",
        currentDate: new Date(Date.UTC(2026, 10, 1)),
      });
      expect([verified.payload.sub, verified.protectedHeader.kid]).toEqual(["zot", "k"]);
      const jti = (jwt: string): unknown =>
        JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()).jti;
      expect(jti(first)).not.toBe(jti(second));
      expect(service.requests).toHaveLength(2);
    },
  );

  test("what fails is said without what was sent or answered", async () => {
    service.on("POST", "/token", {
      status: 401,
      body: '{"error":"invalid_client","error_description":"s3cret"}',
    });
    const assertionFile = await fileOf("assertion-s3cret");
    const failure = await failureOf(get({ assertionFile })(false));
    expect(failure).toContain("it answered 401 (invalid_client) where a login was asked for");
    expect(failure).not.toContain("s3cret");
    expect(await failureOf(get({ assertionFile: "/nowhere" })(false))).toContain(
      "/nowhere cannot be read",
    );
    const signingFile = await fileOf({ privateKeyFile: assertionFile, algorithm: "none" });
    expect(await failureOf(get({ signingFile })(false))).toContain(
      "expected algorithm to be one of RS256",
    );
    const unusable = await fileOf({ privateKeyFile: assertionFile, algorithm: "RS256" });
    const unsigned = await failureOf(get({ signingFile: unusable })(false));
    expect(unsigned).toContain("cannot sign with RS256");
    expect(unsigned).not.toContain("s3cret");
  });
});
