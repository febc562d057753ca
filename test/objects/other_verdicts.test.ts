// What answers of Google Cloud Storage and Azure mean to their drivers: tried again, a login fetched anew, absent, or a
// line that says what to mend. The answers are scripted; what is right is tried against servers (`…_contract.test.ts`).

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import {
  ObjectStoreRefused,
  ObjectStoreUnavailable,
} from "../../src/storage/objects/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import { openStore } from "./open_store.ts";

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

let server: ReturnType<typeof Bun.serve>;
let answers: Answer[];
let asked: { readonly line: string; readonly login: string }[];
let tokens: number;
let clock: ReturnType<typeof manualClock>;

beforeEach(() => {
  [answers, asked, tokens, clock] = [[], [], 0, manualClock(Date.now())];
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      await request.arrayBuffer();
      if (pathname.includes("token")) {
        tokens += 1;
        return Response.json({ access_token: `token${tokens}`, expires_in: 3600 });
      }
      const login = request.headers.get("Authorization") ?? "";
      asked.push({ line: `${request.method} ${pathname}${search}`, login });
      const { status, headers = {}, body = "" } = answers.shift() ?? { status: 200, body: "{}" };
      return new Response(request.method === "HEAD" ? null : body, { status, headers });
    },
  });
});
afterEach(() => server.stop(true));

/** Lets time pass until the work ends; what it came to. */
async function outcome(work: Promise<unknown>): Promise<unknown> {
  let isOver = false;
  const ended = work.then(
    (value) => value,
    (error: unknown) => error,
  );
  void ended.then(() => {
    isOver = true;
  });
  await eventually("the work ends", async () => {
    if (!isOver) await clock.advance(200);
    return isOver;
  });
  return await ended;
}

const url = (): string => `http://127.0.0.1:${server.port}`;
const metadata = () => ({ HOME: "/nowhere", GCE_METADATA_HOST: `127.0.0.1:${server.port}` });
const openGcs = () =>
  openStore(
    { name: "gcs", bucket: "images", endpoint: url(), secure: false },
    { clock, env: metadata() },
  ).store;
const openAzure = (given: object) =>
  openStore(
    {
      name: "azure",
      accountname: "registry",
      container: "images",
      serviceurl: `${url()}/registry`,
      secure: false,
      ...given,
    },
    { clock, env: { AZURE_POD_IDENTITY_AUTHORITY_HOST: url() } },
  ).store;
const reason = (status: number, word: string, message = ""): Answer => ({
  status,
  body: JSON.stringify({ error: { code: status, message, errors: [{ reason: word }] } }),
});
const code = (status: number, word: string): Answer => ({
  status,
  headers: { "x-ms-error-code": word },
});

describe("Google Cloud Storage", () => {
  test("limits and trouble are tried again, in whatever words they come", async () => {
    for (const answer of [
      reason(429, "rateLimitExceeded"),
      reason(403, "userRateLimitExceeded"),
      reason(503, "backendError"),
      { status: 500 },
    ]) {
      answers = [answer, { status: 200, body: '{"size":"7"}' }];
      expect(await outcome(openGcs().size("a"))).toBe(7);
    }
    answers = Array.from({ length: 4 }, () => reason(503, "backendError"));
    const error = await outcome(openGcs().size("a"));
    expect(error).toBeInstanceOf(ObjectStoreUnavailable);
    expect(String(error)).toContain("503 (backendError)");
  });

  test("a login that is refused is fetched anew, once", async () => {
    const store = openGcs();
    answers = [
      { status: 200, body: '{"size":"1"}' },
      reason(401, "authError"),
      { status: 200, body: '{"size":"2"}' },
    ];
    expect(await outcome(store.size("a"))).toBe(1);
    await clock.advance(60_000);
    expect(await outcome(store.size("a"))).toBe(2);
    expect(asked.map(({ login }) => login)).toEqual([
      "Bearer token1",
      "Bearer token1",
      "Bearer token2",
    ]);
    await clock.advance(60_000);
    answers = [reason(401, "authError"), reason(401, "authError")];
    expect(await outcome(store.size("a"))).toBeInstanceOf(ObjectStoreRefused);
  });

  test("what a person must mend is said with the permission; a bucket that is not there is not an absent object", async () => {
    answers = [reason(403, "forbidden")];
    expect(String(await outcome(openGcs().put("a", sample(1))))).toEndWith(
      "refuses the upload of an object: 403 (forbidden): expected a login that has storage.objects.create and storage.objects.delete; allow it, or change credentialsFile",
    );
    answers = [reason(404, "notFound")];
    expect(await outcome(openGcs().size("a"))).toBeNull();
    answers = [reason(404, "notFound", "The specified bucket does not exist.")];
    expect(String(await outcome(openGcs().size("a")))).toEndWith(
      "404 (notFound): expected a bucket that is there; create it, or change bucket",
    );
    answers = [reason(404, "notFound")];
    expect(await outcome(openGcs().put("a", sample(1)))).toBeInstanceOf(ObjectStoreRefused);
  });
});

describe("Azure", () => {
  const key = { accountkey: "a2V5IGtleSBrZXkga2V5" };
  const identity = { credentials: { type: "default_credentials" } };

  test("trouble is tried again, also of HEAD, which has no body", async () => {
    const fine = { status: 200, headers: { "Content-Length": "0" } };
    for (const answer of [
      code(503, "ServerBusy"),
      code(500, "OperationTimedOut"),
      { status: 429 },
    ]) {
      answers = [answer, fine];
      expect(await outcome(openAzure(key).size("a"))).toBe(0);
    }
    answers = Array.from({ length: 4 }, () => code(503, "ServerBusy"));
    expect(await outcome(openAzure(key).size("a"))).toBeInstanceOf(ObjectStoreUnavailable);
  });

  test("a token that is refused is fetched anew, once", async () => {
    const store = openAzure(identity);
    answers = [{ status: 201 }, code(401, "InvalidAuthenticationInfo"), { status: 201 }];
    await outcome(store.put("a", sample(1)));
    await clock.advance(60_000);
    await outcome(store.put("b", sample(1)));
    expect(asked.map(({ login }) => login)).toEqual([
      "Bearer token1",
      "Bearer token1",
      "Bearer token2",
    ]);
  });

  test("what a person must mend is said with the role, and absent is absent", async () => {
    answers = [code(403, "AuthorizationPermissionMismatch")];
    expect(String(await outcome(openAzure(key).put("a", sample(1))))).toEndWith(
      "403 (AuthorizationPermissionMismatch): expected a login that has permission to write blobs " +
        "(Storage Blob Data Contributor); allow it, or change accountkey or credentials",
    );
    answers = [code(404, "ContainerNotFound")];
    expect(await outcome(openAzure(key).size("a"))).toBeInstanceOf(ObjectStoreRefused);
    answers = [code(404, "BlobNotFound")];
    expect(await outcome(openAzure(key).size("a"))).toBeNull();
    answers = [code(409, "BlobImmutableDueToPolicy")];
    expect(await outcome(openAzure(key).remove("a"))).toBeInstanceOf(ObjectStoreRefused);
  });

  test("a 404 of somebody else, such as a proxy, is no absence", async () => {
    const page = { status: 404, body: "<html><h1>404</h1></html>" };
    for (const store of [openAzure(key), openGcs()]) {
      for (const work of [() => store.get("a", null), () => store.list("", null)]) {
        answers = [page];
        expect(await outcome(work())).toBeInstanceOf(ObjectStoreRefused);
      }
    }
  });

  test("a write that finds nothing there did not happen", async () => {
    const parts = { upload: crypto.randomUUID() };
    const store = openAzure(key);
    const part = await store.putPart("a", parts, 1, sample(1));
    for (const write of [
      () => store.put("a", sample(1)),
      () => store.putPart("a", parts, 2, sample(1)),
      () => store.completeParts("a", parts, [part]),
    ]) {
      for (const answer of [
        { status: 404 },
        code(404, "ResourceNotFound"),
        code(409, "BlobAlreadyExists"),
      ]) {
        answers = [answer];
        expect(await outcome(write())).toBeInstanceOf(ObjectStoreRefused);
      }
    }
  });

  test("what an object has become meanwhile, giving up its parts leaves alone", async () => {
    answers = [code(409, "BlobAlreadyExists")];
    await outcome(openAzure(key).abortParts("a", { upload: "u" }));
    expect(asked.map(({ line }) => line)).toEqual(["PUT /registry/images/a?comp=blocklist"]);
  });
});
