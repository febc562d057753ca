// What each driver says of an error: what came, what was expected, what to do, in one line without secrets. A real server
// says it where it can (versitygw); else the answers are scripted.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock } from "../../src/lib/clock.ts";
import { TestAuthority } from "../certificates.ts";
import { eventually } from "../processes.ts";
import { reasonOf } from "../reason_of.ts";
import { openStore } from "./open_store.ts";
import { hasVersitygw, startVersitygw } from "./versitygw.ts";

const secrets = { accesskey: "AKIA", secretkey: "tops3cret" };
const accountkey = Buffer.from("a key of an account").toString("base64");

/** Each driver at an address. */
const drivers = {
  s3: (url: string, more: object = {}) => ({
    name: "s3",
    bucket: "images",
    regionendpoint: url,
    ...secrets,
    ...more,
  }),
  gcs: (url: string, more: object = {}) => ({
    name: "gcs",
    bucket: "images",
    endpoint: url,
    ...more,
  }),
  azure: (url: string, more: object = {}) => ({
    name: "azure",
    accountname: "registry",
    accountkey,
    container: "images",
    serviceurl: url,
    ...more,
  }),
} as const;
type Name = keyof typeof drivers;
const names = ["s3", "gcs", "azure"] as const;
const endpointKeys = { s3: "regionendpoint", gcs: "endpoint", azure: "serviceurl" } as const;

/** A service of tokens for Google: its login is not what is tried here. */
const tokens = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => Response.json({ access_token: "token", expires_in: 3600 }),
});
afterAll(() => tokens.stop(true));

/** The line about a look for an object, with time passing for what is tried again. */
async function lineOf(values: object, ask: "list" | "size" = "list"): Promise<string> {
  const clock = manualClock(Date.now());
  const env = { HOME: "/nowhere", GCE_METADATA_HOST: `127.0.0.1:${tokens.port}` };
  const { store } = openStore(values, { clock, env });
  let isOver = false;
  const work = reasonOf(ask === "list" ? store.list("", null) : store.size("a")).finally(() => {
    isOver = true;
  });
  await eventually("the work ends", async () => {
    if (!isOver) await clock.advance(200);
    return isOver;
  });
  await store.close();
  const error = await work;
  const line = error instanceof Error ? error.message : String(error);
  expect(line).not.toContain("\n");
  for (const secret of [secrets.secretkey, accountkey]) expect(line).not.toContain(secret);
  return line;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

describe("no answer comes", () => {
  for (const name of names) {
    const at = (url: string, more: object = {}) => drivers[name](url, more);
    const key = endpointKeys[name];

    test(`${name}: nobody listens`, async () => {
      const gone = createServer();
      const port = await listening(gone);
      await new Promise((closed) => gone.close(closed));
      expect(await lineOf(at(`http://127.0.0.1:${port}`, { secure: false }))).toEndWith(
        `now: ECONNREFUSED: expected a store that listens there; start it, or change ${key}`,
      );
    });

    test(`${name}: a host without an address`, async () => {
      expect(await lineOf(at("http://store.invalid", { secure: false }))).toEndWith(
        `now: ENOTFOUND: expected a host that has an address; change ${key}, or look at the DNS of this machine`,
      );
    });

    test(`${name}: TLS to a plain server, and plain to TLS`, async () => {
      using plain = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
      expect(await lineOf(at(`https://127.0.0.1:${plain.port}`))).toEndWith(
        `now: EPROTO: expected a store that speaks TLS there; ` +
          `set secure to false where it speaks plain HTTP, or change ${key}`,
      );
      const directory = await mkdtemp(join(tmpdir(), "zot-lines-"));
      const authority = await TestAuthority.make(directory);
      const issue = (host: string) => authority.issue(host, { names: [`DNS:${host}`] });
      const { cert, key: secret } = await issue("localhost");
      using tls = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        tls: { cert: Bun.file(cert), key: Bun.file(secret) },
        fetch: () => new Response(""),
      });
      expect(await lineOf(at(`http://127.0.0.1:${tls.port}`, { secure: false }))).toEndWith(
        "now: ECONNRESET: expected an answer, and the connection ended; " +
          "look at the log of the store, and set secure to true where it speaks TLS alone",
      );
      // Its certificate is one of localhost, and nobody here knows who issued it.
      expect(await lineOf(at(`https://127.0.0.1:${tls.port}`))).toMatch(
        /refuses the list of \w+: its certificate is not trusted \(\w+\); set cafile$/,
      );
      const trusted = at(`https://127.0.0.1:${tls.port}`, { cafile: authority.cert });
      expect(await lineOf(trusted)).toEndWith(
        "its certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID): expected a certificate for the " +
          `host that is asked; change ${key} to a name that its certificate has`,
      );
      await rm(directory, { recursive: true });
    });
  }
});

interface Said {
  readonly status: number;
  readonly word: string;
  readonly message?: string;
  readonly line: string;
}

const s3: readonly Said[] = [
  {
    status: 400,
    word: "InvalidBucketName",
    line: "400 (InvalidBucketName): expected a name that the store takes; change bucket",
  },
  {
    status: 404,
    word: "NoSuchBucket",
    line: "404 (NoSuchBucket): expected a bucket that is there; create it, or change bucket",
  },
  {
    status: 403,
    word: "AccessDenied",
    line: "403 (AccessDenied): expected a login that has s3:ListBucket; allow it, or change accesskey and secretkey",
  },
  {
    status: 403,
    word: "SignatureDoesNotMatch",
    line: "403 (SignatureDoesNotMatch): expected the secret key of this access key; change secretkey",
  },
  {
    status: 400,
    word: "ExpiredToken",
    line:
      "400 (ExpiredToken): expected a session token that still holds; change sessiontoken with its keys, " +
      "or remove all three where the machine has keys of its own",
  },
  {
    status: 403,
    word: "RequestTimeTooSkewed",
    line: "403 (RequestTimeTooSkewed): expected the time of the store; set the clock of this machine",
  },
  {
    status: 301,
    word: "PermanentRedirect",
    line:
      "301 (PermanentRedirect): expected the region of the bucket; change region, " +
      "and regionendpoint where it names a region",
  },
  {
    status: 400,
    word: "AuthorizationHeaderMalformed",
    line:
      "400 (AuthorizationHeaderMalformed): expected the region of the bucket; change region, " +
      "and regionendpoint where it names a region",
  },
  {
    status: 507,
    word: "XMinioStorageFull",
    line: "507 (XMinioStorageFull): expected room in the store; make room, or raise its quota",
  },
  {
    status: 403,
    word: "QuotaExceeded",
    line: "403 (QuotaExceeded): expected room in the store; make room, or raise its quota",
  },
  {
    status: 404,
    word: "",
    line: "404: expected an answer of the store, not of a server before it; change regionendpoint",
  },
];

const gcs: readonly Said[] = [
  {
    status: 404,
    word: "notFound",
    message: "The specified bucket does not exist.",
    line: "404 (notFound): expected a bucket that is there; create it, or change bucket",
  },
  {
    status: 403,
    word: "forbidden",
    line: "403 (forbidden): expected a login that has storage.objects.list; allow it, or change credentialsFile",
  },
  {
    status: 401,
    word: "authError",
    line: "401 (authError): expected a login that the store takes; change credentialsFile",
  },
  {
    status: 403,
    word: "accountDisabled",
    line:
      "403 (accountDisabled): expected an account that is open; " +
      "open it again with whoever runs the store",
  },
  {
    status: 507,
    word: "",
    line: "507: expected room in the store; make room, or raise its quota",
  },
];

const azure: readonly Said[] = [
  {
    status: 404,
    word: "ContainerNotFound",
    line: "404 (ContainerNotFound): expected a container that is there; create it, or change container",
  },
  {
    status: 400,
    word: "InvalidResourceName",
    line: "400 (InvalidResourceName): expected a name that the store takes; change container",
  },
  {
    status: 403,
    word: "AuthenticationFailed",
    line:
      "403 (AuthenticationFailed): expected the key of the account, and the time of the store; " +
      "change accountkey, or set the clock of this machine",
  },
  {
    status: 403,
    word: "AuthorizationPermissionMismatch",
    line:
      "403 (AuthorizationPermissionMismatch): expected a login that has permission to read blobs " +
      "(Storage Blob Data Contributor); allow it, or change accountkey or credentials",
  },
  {
    status: 403,
    word: "AccountIsDisabled",
    line:
      "403 (AccountIsDisabled): expected an account that is open; " +
      "open it again with whoever runs the store",
  },
  {
    status: 507,
    word: "",
    line: "507: expected room in the store; make room, or raise its quota",
  },
];

/** An error as each store writes it. */
const written: Readonly<Record<Name, (said: Said) => Response>> = {
  s3: ({ status, word }) =>
    new Response(word === "" ? "" : `<Error><Code>${word}</Code></Error>`, { status }),
  gcs: ({ status, word, message = "" }) =>
    Response.json(
      { error: { message, errors: word === "" ? [] : [{ reason: word }] } },
      { status },
    ),
  azure: ({ status, word }) =>
    new Response("", { status, headers: word === "" ? {} : { "x-ms-error-code": word } }),
};

for (const [name, rows] of Object.entries({ s3, gcs, azure }) as [Name, readonly Said[]][]) {
  describe(`${name} answers`, () => {
    test.each(rows.map((row) => [`${row.status} ${row.word}`, row] as const))(
      "%s",
      async (_says, row) => {
        using server = Bun.serve({
          port: 0,
          hostname: "127.0.0.1",
          fetch: () => written[name](row),
        });
        const url = `http://127.0.0.1:${server.port}`;
        const line = await lineOf(drivers[name](url, { secure: false }));
        expect(line).toContain(" refuses the list of ");
        expect(line.slice(line.indexOf(": ", line.indexOf(" refuses ")) + 2)).toBe(row.line);
      },
    );
  });
}

describe.skipIf(!hasVersitygw())("versitygw says", () => {
  test("a bucket that is not there, a key that nobody has, another secret key", async () => {
    await using gateway = await startVersitygw();
    const { url, bucket, accessKey: accesskey, secretKey: secretkey } = gateway;
    const right = { bucket, accesskey, secretkey, secure: false };
    const said = async (wrong: object): Promise<string> =>
      (await lineOf(drivers.s3(url, { ...right, ...wrong }))).replace(/^.* refuses the /, "");
    expect(await said({ bucket: "another" })).toBe(
      "list of objects: 404 (NoSuchBucket): expected a bucket that is there; create it, or change bucket",
    );
    expect(await said({ accesskey: "nobody" })).toBe(
      "list of objects: 403 (InvalidAccessKeyId): expected an access key that the store knows; " +
        "change accesskey and secretkey",
    );
    expect(await said({ secretkey: "another" })).toBe(
      "list of objects: 403 (SignatureDoesNotMatch): expected the secret key of this access key; change secretkey",
    );
  });
});
