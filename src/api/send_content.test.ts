// Content of every kind as an answer, whole and in parts, with the rules and the handlers of blobs over it.

import { expect, test } from "bun:test";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { openWorld, pushBlob, repository } from "../../test/registry/world.ts";
import { sample } from "../../test/contracts/store_samples.ts";
import type { BlobStore, ContentRange, OpenContent } from "../storage/blob_store.ts";
import type { App } from "./app.ts";
import { getBlob } from "./blobs.ts";

/** More than is kept in memory. */
const bytes = sample(100_000);
const place = "https://store.example/objects/1?signature=s";

const kinds: Readonly<Record<OpenContent["kind"], (part: Uint8Array<ArrayBuffer>) => OpenContent>> =
  {
    bytes: (part) => ({ kind: "bytes", bytes: part }),
    blob: (part) => ({ kind: "blob", blob: new Blob([part]) }),
    stream: (part) => ({ kind: "stream", stream: new Blob([part]).stream() }),
    redirect: () => ({ kind: "redirect", location: place }),
  };

/** What GET of the blob answers where a store opens content so. */
async function getOf(kind: OpenContent["kind"], headers: Record<string, string>): Promise<Reply> {
  await using world = await openWorld();
  const digest = await pushBlob(world, bytes);
  const open = async (_: string, __: string, range: ContentRange | null) =>
    kinds[kind](range === null ? bytes : bytes.slice(range.first, range.last + 1));
  const blobs: BlobStore = new Proxy(world.registry.blobs, {
    get(target, property) {
      if (property === "open") return open;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const call = {
    repository,
    method: "GET",
    params: { digest },
    located: null,
    hasQuery: () => false,
    header: (name: string) => headers[name] ?? null,
  } as unknown as Call;
  const app = { registry: { ...world.registry, blobs }, redirectExcept: [] };
  return getBlob(call, app as unknown as App);
}

async function bytesOf({ body }: Reply): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(body as Uint8Array<ArrayBuffer> | Blob | ReadableStream).arrayBuffer(),
  );
}

for (const kind of ["bytes", "blob", "stream"] as const) {
  test(`${kind}: whole, one range, several ranges`, async () => {
    const whole = await getOf(kind, {});
    expect(whole).toMatchObject({ status: 200, headers: { "content-length": "100000" } });
    expect(await bytesOf(whole)).toEqual(bytes);
    const part = await getOf(kind, { range: "bytes=10-19" });
    expect(part).toMatchObject({ status: 206, headers: { "content-range": "bytes 10-19/100000" } });
    expect(await bytesOf(part)).toEqual(bytes.slice(10, 20));
    const parts = await getOf(kind, { range: "bytes=0-4,90000-90009" });
    expect(parts.headers["content-type"]).toStartWith("multipart/byteranges");
    const body = Buffer.from(await bytesOf(parts));
    expect(body.includes(bytes.slice(0, 5))).toBe(true);
    expect(body.includes(bytes.slice(90_000, 90_010))).toBe(true);
  });
}

for (const range of [null, "bytes=10-19", "bytes=0-4,90000-90009"]) {
  test(`redirect: ${range ?? "all of it"} is asked for at the store, and nobody remembers where`, async () => {
    const { status, headers, body } = await getOf("redirect", range === null ? {} : { range });
    expect({ status, body }).toEqual({ status: 307, body: null });
    expect(headers).toEqual({
      location: place,
      "docker-content-digest": expect.stringMatching(/^sha256:/),
      "cache-control": "no-store",
      "content-length": "0",
    });
  });
}
