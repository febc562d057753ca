// The driver of S3 where the store, the way to it, its clock or its keys are in trouble: what is tried again, how often,
// and what is said.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { manualClock } from "../../src/lib/clock.ts";
import { savedRetriesMax } from "../../src/storage/objects/http/retry_budget.ts";
import { silenceMs } from "../../src/storage/objects/http/store_requests.ts";
import {
  ObjectStoreRefused,
  ObjectStoreUnavailable,
} from "../../src/storage/objects/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { eventually } from "../processes.ts";
import { reasonOf } from "../reason_of.ts";
import { TestAuthority } from "../certificates.ts";
import { tempDirectory } from "../temp.ts";
import { type Asked, FakeS3, type Fault } from "./fake_s3.ts";
import { openS3Store } from "./open_store.ts";

let fake: FakeS3;
let clock: ReturnType<typeof manualClock>;
beforeEach(async () => {
  fake = await FakeS3.start();
  clock = manualClock(Date.now());
});
afterEach(() => fake[Symbol.asyncDispose]());

const open = (values = {}) => openS3Store({ regionendpoint: fake.url, ...values }, { clock });

/** A fault in the first so many requests of an operation. */
const first = (operation: Asked["operation"], count: number, fault: Fault) => {
  fake.fault = (asked) => (asked.operation === operation && asked.count <= count ? fault : null);
};

/** Lets time pass until the work ends. */
async function settled<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  work.then(over, over);
  await eventually("the work ends", async () => {
    if (!isOver) await clock.advance(200);
    return isOver;
  });
  return await work;
}

const failed = (work: Promise<unknown>) => settled(reasonOf(work));

for (const [says, fault] of Object.entries({
  "503 (SlowDown)": { status: 503, code: "SlowDown" },
  "500": { status: 500 },
  "429": { status: 429 },
  RequestTimeout: { status: 400, code: "RequestTimeout" },
  "a reset": { reset: true },
} as Record<string, Fault>)) {
  test(`${says}: tried again, up to four times, and then said`, async () => {
    const { store } = open();
    first("put", 2, fault);
    await settled(store.put("a", sample(100)));
    expect(fake.count("put")).toBe(3);
    expect(fake.objects.get("a")?.bytes.length).toBe(100);
    first("list", 1_000, fault);
    const error = await failed(store.list("", null));
    expect(error).toBeInstanceOf(ObjectStoreUnavailable);
    expect(String(error)).toContain(
      `s3 bucket bucket at ${fake.url} cannot serve the list of objects now: `,
    );
    // The runtime repeats by itself what an old connection was closed for.
    const repeated = "reset" in fault ? fake.count("list") - 4 : 0;
    expect(fake.count("list")).toBe(4 + repeated);
    expect(repeated).toBeOneOf([0, 1]);
  });
}

test("a store in trouble for a minute is asked ever less, and serves again afterwards", async () => {
  const { store } = open();
  await store.put("a", sample(10));
  first("head", 1_000, { status: 503, code: "SlowDown" });
  const asked = 30;
  for (let request = 0; request < asked; request += 1) {
    expect(await failed(store.size("a"))).toBeInstanceOf(ObjectStoreUnavailable);
  }
  expect(fake.count("head")).toBeLessThanOrEqual(asked + savedRetriesMax + asked / 10);
  fake.fault = () => null;
  expect(await store.size("a")).toBe(10);
});

test("silence ends a try, and four of them the request", async () => {
  const { store } = open();
  fake.fault = () => ({ silent: true });
  const work = reasonOf(store.size("a"));
  for (let tries = 1; tries <= 4; tries += 1) {
    await eventually(`try ${tries}`, async () => {
      if (fake.count("head") === tries) return true;
      await clock.advance(100);
      return false;
    });
    await clock.advance(10_000);
  }
  expect(String(await work)).toContain("no answer in time");
  expect(fake.count("head")).toBe(4);
});

test("a body that is cut is asked for from there on, and one that brings nothing more is given up", async () => {
  const { store } = open();
  const bytes = sample(500_000);
  await store.put("a", bytes);
  fake.fault = ({ operation, count }) =>
    operation === "get" && count <= 3 ? { cut: 100_000 } : null;
  const read = async (first?: number) => {
    const stream = await store.get("a", first === undefined ? null : { first, last: 499_999 });
    return new Uint8Array(Buffer.concat(await Array.fromAsync(stream ?? [])));
  };
  expect(await settled(read())).toEqual(bytes);
  const ranges = fake.asked
    .filter((each) => each.operation === "get")
    .map((each) => each.headers.range);
  expect(ranges[0]).toBeUndefined();
  expect(ranges.length).toBe(4);
  for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=\d+-499999$/);
  fake.asked.length = 0;
  fake.fault = ({ operation }) => (operation === "get" ? { cut: 0 } : null);
  const error = await failed(read(1000));
  expect(error).toBeInstanceOf(ObjectStoreUnavailable);
  expect(fake.count("get")).toBeLessThanOrEqual(4);
});

test("a body that falls silent is asked for from there on; a reader that pauses is no silence", async () => {
  const { store } = open();
  const bytes = sample(300_000);
  await store.put("a", bytes);
  first("get", 1, { stall: 100_000 });
  const stream = await store.get("a", null);
  const parts: Uint8Array[] = [];
  const reader = stream?.getReader();
  const piece = async () => {
    const { value } = (await reader?.read()) ?? {};
    if (value !== undefined) parts.push(value);
    return value !== undefined;
  };
  await piece();
  await clock.advance(10 * silenceMs);
  expect(fake.count("get")).toBe(1);
  let isMore = true;
  while (isMore) isMore = await settled(piece());
  expect(new Uint8Array(Buffer.concat(parts))).toEqual(bytes);
  expect(fake.count("get")).toBe(2);
  expect(fake.asked.at(-1)?.headers.range).toMatch(/^bytes=[1-9]\d*-299999$/);
});

test("an error inside of a 200 is one; a completion whose answer was lost is found by its object", async () => {
  const { store } = open();
  const begin = async (key: string) => {
    const parts = await store.startParts(key);
    return { parts, stored: [await store.putPart(key, parts, 1, sample(100))] };
  };
  const one = await begin("one");
  first("complete", 1, { status: 200, code: "InternalError" });
  await settled(store.completeParts("one", one.parts, one.stored));
  expect([fake.count("complete"), await store.size("one")]).toEqual([2, 100]);
  const two = await begin("two");
  fake.asked.length = 0;
  first("complete", 1, { done: true, status: 500, code: "InternalError" });
  await settled(store.completeParts("two", two.parts, two.stored));
  expect([fake.count("complete"), await store.size("two")]).toEqual([2, 100]);
  const three = await begin("three");
  first("complete", 99, { status: 200, code: "AccessDenied" });
  expect(await failed(store.completeParts("three", three.parts, three.stored))).toBeInstanceOf(
    ObjectStoreRefused,
  );
  expect(await store.size("three")).toBeNull();
});

test("another region, and another host, are followed once; never from https to http", async () => {
  await using elsewhere = await FakeS3.start();
  const { store } = open();
  const regions = () =>
    fake.asked.map(
      ({ headers }) => /\/([a-z0-9-]+)\/s3\//.exec(String(headers.authorization))?.[1],
    );
  first("put", 1, {
    status: 301,
    code: "PermanentRedirect",
    headers: { "x-amz-bucket-region": "eu-west-9" },
  });
  await store.put("a", sample(10));
  await store.size("a");
  expect(regions()).toEqual(["us-east-1", "eu-west-9", "eu-west-9"]);
  fake.asked.length = 0;
  const location = `${elsewhere.url}/bucket/b`;
  first("put", 1, { status: 307, code: "TemporaryRedirect", headers: { Location: location } });
  await store.put("b", sample(20));
  expect([fake.objects.has("b"), elsewhere.objects.get("b")?.bytes.length]).toEqual([false, 20]);
  fake.asked.length = 0;
  first("put", 9, {
    status: 307,
    code: "TemporaryRedirect",
    headers: { Location: `${fake.url}/bucket/c` },
  });
  expect(await failed(store.put("c", sample(1)))).toBeInstanceOf(ObjectStoreRefused);
  expect(fake.count("put")).toBe(2);
  fake.asked.length = 0;
  first("put", 9, {
    status: 307,
    code: "TemporaryRedirect",
    headers: { Location: "https://127.0.0.1:1/bucket/c" },
  });
  expect(await failed(store.put("c", sample(1)))).toBeInstanceOf(ObjectStoreRefused);
  expect(fake.count("put")).toBe(1);
});

test("what a person must mend is said in one line, with the permission, and not tried again", async () => {
  const { store } = open();
  const line = async (work: Promise<unknown>) => {
    const error = await failed(work);
    expect(error).toBeInstanceOf(ObjectStoreRefused);
    expect(String(error)).not.toContain("\n");
    return String(error).replace("ObjectStoreRefused: ", "").replace(fake.url, "URL");
  };
  first("put", 9, { status: 403, code: "AccessDenied" });
  expect(await line(store.put("a", sample(1)))).toBe(
    "s3 bucket bucket at URL refuses the PUT of an object: 403 (AccessDenied): " +
      "expected a login that has s3:PutObject; allow it, or change accesskey and secretkey",
  );
  expect(fake.count("put")).toBe(1);
  first("head", 9, { status: 403 });
  expect(await line(store.size("a"))).toEndWith(
    "403: expected a login that has s3:GetObject and s3:ListBucket; allow it, or change accesskey and secretkey",
  );
  fake.fault = () => null;
  expect(await line(open({ bucket: "none" }).store.probe())).toEndWith(
    "404 (NoSuchBucket): expected a bucket that is there; create it, or change bucket",
  );
  fake.asked.length = 0;
  expect(await line(open({ accesskey: "unknown" }).store.list("", null))).toEndWith(
    "403 (InvalidAccessKeyId): expected an access key that the store knows; change accesskey and secretkey",
  );
  expect(fake.count("list")).toBe(2);
});

test("absent is what the store says is absent: not a bucket that is gone, nor the 404 of a proxy", async () => {
  const { store } = open();
  await store.put("a", sample(10));
  expect([await store.size("b"), await store.get("b", null)]).toEqual([null, null]);
  fake.bucket = "renamed";
  for (const work of [
    () => store.size("a"),
    () => store.get("a", null),
    () => store.put("b", sample(1)),
  ]) {
    expect(String(await failed(work()))).toContain("expected a bucket that is there");
  }
  fake.fault = () => ({ status: 404 });
  for (const work of [
    () => store.size("a"),
    () => store.get("a", null),
    () => store.list("", null),
  ]) {
    expect(await failed(work())).toBeInstanceOf(ObjectStoreRefused);
  }
});

test("nobody is there: said with the error of the connection", async () => {
  const { store } = openS3Store({ regionendpoint: "127.0.0.1:9" }, { clock });
  const error = await failed(store.put("a", sample(1)));
  expect(error).toBeInstanceOf(ObjectStoreUnavailable);
  expect(String(error)).toMatch(
    /cannot serve the PUT of an object now: ECONNREFUSED: expected a store that listens there; start it, or change regionendpoint$/,
  );
});

test("a file that is gone is the caller's trouble, not the store's", async () => {
  const { store } = open();
  const error = await failed(store.put("a", Bun.file("/nowhere/at/all").slice(0, 10)));
  expect(String(error)).toContain("ENOENT");
  expect(error).not.toBeInstanceOf(ObjectStoreUnavailable);
});

for (const minutes of [20, -20]) {
  test(`a clock that is ${minutes} minutes off: the store's is followed, and it is said once`, async () => {
    const { store, reported } = open();
    fake.aheadMs = minutes * 60_000;
    await store.put("a", sample(10));
    expect(fake.count("put")).toBe(2);
    expect(await store.size("a")).toBe(10);
    expect(fake.count("head")).toBe(1);
    expect(reported.length).toBe(1);
    expect(reported[0]).toMatch(
      /^the clock here is 1(199|200|201) s (behind|ahead of) that of s3 bucket/,
    );
    const url = await store.sign("a", { seconds: 60, contentType: "text/plain" });
    expect((await fetch(url ?? "")).status).toBe(200);
  });
}

test("small bodies are hashed, slices are not; what every object gets goes with whole ones and with parts", async () => {
  const { store } = open({
    storageclass: "standard_ia",
    encrypt: true,
    keyid: "key",
    useragent: "mine",
  });
  await store.put("a", sample(10));
  await store.put("b", new Blob([sample(10)]));
  await store.startParts("c");
  const [a, b, c] = fake.asked.map(({ headers }) => headers);
  expect(a?.["x-amz-content-sha256"]).toMatch(/^[0-9a-f]{64}$/);
  expect(b?.["x-amz-content-sha256"]).toBe("UNSIGNED-PAYLOAD");
  for (const headers of [a, b]) {
    expect(headers?.["content-length"]).toBe("10");
    expect(headers?.["transfer-encoding"]).toBeUndefined();
  }
  for (const headers of [a, b, c]) {
    expect(headers).toMatchObject({
      "x-amz-storage-class": "STANDARD_IA",
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "key",
      "user-agent": "zot mine",
    });
    expect(Object.keys(headers ?? {}).filter((name) => /checksum|crc/i.test(name))).toEqual([]);
  }
});

test("a bucket that keeps versions is told of, one that locks objects is refused", async () => {
  fake.answers.set("versioning", "<V><Status>Enabled</Status></V>");
  const { store, reported } = open();
  await store.probe();
  expect(reported).toEqual([expect.stringContaining("keeps versions")]);
  fake.answers.set(
    "object-lock",
    "<O><Rule><DefaultRetention><Days>1</Days></DefaultRetention></Rule></O>",
  );
  expect(String(await reasonOf(store.probe()))).toContain("locks all objects");
});

test("a certificate that nobody trusts is said; cafile and skipverify are ways out", async () => {
  await using directory = await tempDirectory();
  const authority = await TestAuthority.make(directory.path);
  const { cert, key } = await authority.issue("store", { names: ["IP:127.0.0.1"] });
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: Bun.file(cert), key: Bun.file(key) },
    fetch: () => new Response("<Error><Code>NoSuchKey</Code></Error>", { status: 404 }),
  });
  const regionendpoint = `https://127.0.0.1:${server.port}`;
  const error = await failed(open({ regionendpoint }).store.size("a"));
  expect(error).toBeInstanceOf(ObjectStoreRefused);
  expect(String(error)).toMatch(/its certificate is not trusted \(\w+\); set cafile$/);
  for (const way of [{ cafile: authority.cert }, { skipverify: true }]) {
    expect(await settled(open({ regionendpoint, ...way }).store.size("a"))).toBeNull();
  }
});
