// `extensions.lint` against a server that runs: what is refused, and how; what is passed over; and the mode that only
// warns.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually, startZot, type Zot } from "../harness.ts";
import { content } from "../http/content.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const imageConfig = "application/vnd.oci.image.config.v1+json";
const asked = ["annot1", "annot2", "annot3"];
const all = { annot1: "a", annot2: "b", annot3: "" };

interface Pushed {
  readonly annotations?: object;
  readonly labels?: object;
  readonly more?: object;
  readonly configType?: string;
  readonly config?: string;
  readonly layerType?: string;
}

async function blob(zot: Zot, bytes: Uint8Array, mediaType: string): Promise<object> {
  const { digest } = content(bytes);
  const url = `${zot.url}/v2/app/blobs/uploads/?digest=${digest}`;
  const { status } = await fetch(url, { method: "POST", body: bytes });
  expect(status).toBe(201);
  return { mediaType, digest, size: bytes.length };
}

async function push(zot: Zot, pushed: Pushed, reference = "1"): Promise<Response> {
  const { annotations, labels, more = {}, configType = imageConfig, layerType } = pushed;
  const text = pushed.config ?? JSON.stringify({ config: { Labels: labels ?? null } });
  const config = await blob(zot, Buffer.from(text), configType);
  const layer = layerType ?? "application/vnd.oci.image.layer.v1.tar+gzip";
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: [await blob(zot, Buffer.from("layer"), layer)],
    ...(annotations === undefined ? {} : { annotations }),
    ...more,
  });
  const headers = { "content-type": manifestType };
  return fetch(`${zot.url}/v2/app/manifests/${reference}`, { method: "PUT", headers, body });
}

describe("a server that asks for three annotations", () => {
  let zot: Zot;
  beforeAll(async () => {
    const lint = { enable: true, mandatoryAnnotations: asked };
    zot = await startZot({ config: { extensions: { lint } } });
  });
  afterAll(() => zot[Symbol.asyncDispose]());

  const subject = { mediaType: manifestType, digest: `sha256:${"a".repeat(64)}`, size: 7 };
  const rows: readonly (readonly [what: string, status: number, pushed: Pushed])[] = [
    ["none of them", 400, {}],
    ["some of them", 400, { annotations: { annot1: "a" } }],
    ["all of them", 201, { annotations: all }],
    ["all of them and more", 201, { annotations: { ...all, other: "x" } }],
    ["all of them as labels", 201, { labels: all }],
    [
      "some as annotations, some as labels",
      201,
      { annotations: { annot1: "" }, labels: { annot2: "", annot3: "" } },
    ],
    ["some as labels", 400, { labels: { annot1: "" } }],
    ["names of every object", 400, { annotations: { constructor: "x" } }],
    ["a config that is no JSON", 400, { config: "{" }],
    ["labels that are a list", 400, { config: '{"config":{"Labels":["annot1"]}}' }],
    ["a chart", 400, { configType: "application/vnd.cncf.helm.config.v1+json" }],
    ["a referrer", 201, { more: { subject } }],
    [
      "a signature of cosign",
      201,
      { layerType: "application/vnd.dev.cosign.simplesigning.v1+json" },
    ],
    ["a build cache", 201, { configType: "application/vnd.buildkit.cacheconfig.v0" }],
  ];
  test.each([...rows])("%s: %d", async (_what, status, pushed) => {
    expect((await push(zot, pushed)).status).toBe(status);
  });

  test("the answer names what is missing, and nothing is left behind", async () => {
    const answer = await push(zot, { annotations: { annot2: "b" }, labels: { odd: "1" } }, "gone");
    const { errors } = (await answer.json()) as {
      errors: { code: string; message: string; detail: { missingAnnotations: string } }[];
    };
    expect(errors).toHaveLength(1);
    expect(errors[0]?.code).toBe("MANIFEST_INVALID");
    expect(errors[0]?.message).toContain("annot1, annot3");
    expect(errors[0]?.detail.missingAnnotations).toEndWith(
      "is missing the next annotations: [annot1 annot3]",
    );
    expect((await fetch(`${zot.url}/v2/app/manifests/gone`)).status).toBe(404);
  });

  test("an index of images that are here passes", async () => {
    const type = "application/vnd.oci.image.index.v1+json";
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] });
    const url = `${zot.url}/v2/app/manifests/index`;
    const answer = await fetch(url, { method: "PUT", headers: { "content-type": type }, body });
    expect(answer.status).toBe(201);
  });
});

test("mode warn takes the push, and says so in the log; kinds narrow the rules", async () => {
  const lint = { mandatoryAnnotations: asked, mode: "warn", kinds: ["image"] };
  await using zot = await startZot({ config: { extensions: { lint } } });
  const chart = { configType: "application/vnd.cncf.helm.config.v1+json" };
  expect((await push(zot, chart, "chart")).status).toBe(201);
  expect((await push(zot, { annotations: { annot1: "" } }, "image")).status).toBe(201);
  const lines = await eventually("the log tells", () => {
    const found = zot.logs().filter(({ msg }) => String(msg).includes("extensions.lint asks for"));
    return found.length === 0 ? null : found;
  });
  expect(lines).toMatchObject([
    { level: "warn", repository: "app", tags: ["image"], missingAnnotations: ["annot2", "annot3"] },
  ]);
});

test("a section without rules, or that is off, asks for nothing", async () => {
  for (const lint of [{ enable: true }, { enable: false, mandatoryAnnotations: asked }]) {
    await using zot = await startZot({ config: { extensions: { lint } } });
    expect((await push(zot, {})).status).toBe(201);
  }
});
