// Where each fact of an image comes from: one row for each step of the way from annotations to nothing.

import { describe, expect, test } from "bun:test";
import type { Summary } from "../../metadata/summaries.ts";
import { digestOf, type Digest } from "../../oci/digest.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { parseManifest } from "../../oci/manifest.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { summariseImage, summariseIndex, summariseUnread } from "./summarise.ts";

const digest = (name: string): Digest => digestOf("sha256", Buffer.from(name));
const oci = "org.opencontainers.image.";
const older = "org.label-schema.";
const day = (of: number): string => `2026-01-0${of}T00:00:00Z`;
const ms = (of: number): number => Date.parse(day(of));

interface Parts {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, unknown>;
  readonly config?: Record<string, unknown> | null;
  readonly layers?: readonly number[];
  readonly artifactType?: string;
}

function made(name: string, document: object) {
  const bytes = Buffer.from(JSON.stringify(document));
  const manifest = parseManifest(bytes, null);
  return { digest: digest(name), sizeBytes: bytes.length, manifest };
}

function image(
  name: string,
  { annotations, labels, config = {}, layers = [10], artifactType }: Parts,
) {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociImage,
    config: { mediaType: mediaTypes.ociConfig, digest: digest("config"), size: 7 },
    layers: layers.map((size) => ({
      mediaType: mediaTypes.ociLayer,
      digest: digest(`layer of ${size}`),
      size,
    })),
    ...(annotations === undefined ? {} : { annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  const body = config === null ? null : { ...config, config: { Labels: labels ?? null } };
  return summariseImage(made(name, document), body);
}

function index(
  children: readonly { readonly of: Summary; readonly more?: Partial<Descriptor> }[],
  annotations?: Record<string, string>,
  known: readonly ReturnType<typeof image>[] = children.map(({ of }) => of as never),
) {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map(({ of, more }) => ({
      mediaType: of.kind === "index" ? mediaTypes.ociIndex : mediaTypes.ociImage,
      digest: of.digest,
      size: 1,
      ...more,
    })),
    ...(annotations === undefined ? {} : { annotations }),
  };
  return summariseIndex(
    made("index", document),
    new Map(known.map((each) => [each.digest as string, each])),
  );
}

describe("the time of an image", () => {
  const all: Parts = {
    annotations: { [`${oci}created`]: day(1), [`${older}build-date`]: day(2) },
    labels: { [`${oci}created`]: day(3), [`${older}build-date`]: day(4) },
    config: { created: day(5), history: [{ created: day(6) }, { created: day(7) }] },
  };
  test.each<[string, Parts, number | null]>([
    ["OCI's annotation", all, ms(1)],
    ["that of label-schema", { ...all, annotations: { [`${older}build-date`]: day(2) } }, ms(2)],
    ["OCI's label", { ...all, annotations: {} }, ms(3)],
    [
      "label-schema's label",
      { ...all, annotations: {}, labels: { [`${older}build-date`]: day(4) } },
      ms(4),
    ],
    ["created of the configuration", { config: all.config! }, ms(5)],
    ["the last step of the history", { config: { history: all.config!["history"] } }, ms(7)],
    ["nothing", {}, null],
    ["Go's zero is nothing", { config: { created: "0001-01-01T00:00:00Z" } }, null],
    ["no time at all", { config: { created: "yesterday" } }, null],
    [
      "an empty annotation counts as absent",
      { annotations: { [`${oci}created`]: "" }, config: { created: day(5) } },
      ms(5),
    ],
    ["a number is no time", { config: { created: 1_767_225_600_000 } }, null],
  ])("%s", (_name, parts, expected) => {
    expect(image("a", parts).updatedAt).toBe(expected);
  });
});

describe("texts", () => {
  const names = [
    ["title", "title", "name"],
    ["description", "description", "description"],
    ["licenses", "licenses", "license"],
    ["vendor", "vendor", "vendor"],
    ["source", "source", "vcs-url"],
    ["documentation", "documentation", "usage"],
  ] as const;
  test.each(names)("%s", (text, own, schema) => {
    const of = (parts: Parts): string | undefined => image("a", parts).texts[text];
    const annotations = { [`${oci}${own}`]: "1", [`${older}${schema}`]: "2" };
    const labels = { [`${oci}${own}`]: "3", [`${older}${schema}`]: "4" };
    expect(of({ annotations, labels })).toBe("1");
    expect(of({ annotations: { ...annotations, [`${oci}${own}`]: "" }, labels })).toBe("2");
    expect(of({ labels })).toBe("3");
    expect(of({ labels: { [`${older}${schema}`]: "4" } })).toBe("4");
    expect(of({})).toBeUndefined();
  });

  test("authors are of annotations, of labels and, apart from them, of the configuration", () => {
    const author = { config: { author: "somebody" } };
    expect(image("a", author).texts).toEqual({ author: "somebody" });
    const labels = { [`${oci}authors`]: "us" };
    expect(image("a", { ...author, labels }).texts).toEqual({ author: "somebody", authors: "us" });
    const annotations = { [`${oci}authors`]: "them" };
    expect(image("a", { labels, annotations }).texts).toEqual({ authors: "them" });
  });

  test("only annotations name a vendor of the repository", () => {
    expect(image("a", { labels: { [`${oci}vendor`]: "l" } }).annotatedVendor).toBeNull();
    expect(image("a", { annotations: { [`${oci}vendor`]: "a" } }).annotatedVendor).toBe("a");
  });

  test("labels that are no texts, long texts and NULs do no harm", () => {
    const labels = { [`${oci}title`]: 5, [`${oci}vendor`]: ["x"] };
    expect(image("a", { labels }).texts).toEqual({});
    const annotations = { [`${oci}title`]: `\0<b>\u202e`, [`${oci}description`]: "x".repeat(1e6) };
    const { title, description } = image("a", { annotations }).texts;
    expect(title).toBe("<b>\u202e");
    expect(description?.length).toBe(4096);
  });
});

describe("platform, size and type", () => {
  test("a variant stands behind the architecture; artifacts have no platform", () => {
    const config = { os: "linux", architecture: "arm64", variant: "v8" };
    expect(image("a", { config }).platform).toEqual({ os: "linux", arch: "arm64/v8" });
    expect(image("a", { config: null }).platform).toEqual({ os: "", arch: "" });
    expect(image("a", { config: { os: 5, architecture: {} } }).platform).toEqual({
      os: "",
      arch: "",
    });
  });

  test("a layer that is named twice counts twice", () => {
    const one = image("a", { layers: [100] });
    const two = image("a", { layers: [100, 100] });
    expect(two.layers).toHaveLength(2);
    // The manifest says so in more bytes, too.
    expect(two.sizeBytes - one.sizeBytes).toBeGreaterThan(100);
  });

  test("an artifact's type is its own, else that of its configuration", () => {
    expect(image("a", { artifactType: "a/b" }).artifactType).toBe("a/b");
    expect(image("a", {}).artifactType).toBe(mediaTypes.ociConfig);
  });

  test("a manifest that cannot be read has its size alone", () => {
    const unread = summariseUnread({ digest: digest("a"), sizeBytes: 9 }, "image");
    expect(unread).toMatchObject({ sizeBytes: 9, updatedAt: null, texts: {}, layers: [] });
  });
});

describe("an index", () => {
  const amd = image("amd", {
    config: { os: "linux", architecture: "amd64", created: day(2) },
    annotations: { [`${oci}title`]: "amd", [`${oci}vendor`]: "v" },
    layers: [100],
  });
  const arm = image("arm", { config: { os: "linux", architecture: "arm64", created: day(3) } });

  test("has the sum of its images, without its own bytes", () => {
    expect(index([{ of: amd }, { of: arm }]).sizeBytes).toBe(amd.sizeBytes + arm.sizeBytes);
  });

  test("says what its first image says, unless it says it itself", () => {
    const plain = index([{ of: amd }, { of: arm }]);
    expect([plain.texts, plain.annotatedVendor]).toEqual([amd.texts, "v"]);
    const own = index([{ of: amd }], { [`${oci}title`]: "own" });
    expect(own.texts.title).toBe("own");
  });

  test("is as new as it says, as its first image is annotated, or as its newest image", () => {
    expect(index([{ of: amd }, { of: arm }]).updatedAt).toBe(ms(3));
    const annotated = image("n", { annotations: { [`${oci}created`]: day(1) } });
    expect(index([{ of: annotated }, { of: arm }]).updatedAt).toBe(ms(1));
    expect(index([{ of: amd }], { [`${oci}created`]: day(9) }).updatedAt).toBe(ms(9));
  });

  test("tells a vendor in 256 characters to repositories, and keeps it as a text", () => {
    const long = { [`${oci}vendor`]: "v".repeat(5_000) };
    expect(image("v", { annotations: long }).annotatedVendor).toHaveLength(256);
    expect(index([{ of: amd }], long).annotatedVendor).toHaveLength(256);
    expect(index([{ of: amd }], long).texts.vendor).toHaveLength(4_096);
  });

  test("leaves out what is not here, and names it", () => {
    const sparse = index([{ of: amd }, { of: arm }], undefined, [amd]);
    expect(sparse.children.map(({ digest: child }) => child)).toEqual([amd.digest]);
    expect(sparse.names).toEqual([amd.digest, arm.digest]);
  });

  test("does not show what BuildKit attests, and counts its bytes", () => {
    const attestation = image("att", { config: { os: "unknown", architecture: "unknown" } });
    const more = { annotations: { "vnd.docker.reference.type": "attestation-manifest" } };
    const whole = index([{ of: amd }, { of: attestation, more }]);
    expect(whole.children.map(({ platform }) => platform)).toEqual([amd.platform]);
    expect(whole.sizeBytes).toBe(amd.sizeBytes + attestation.sizeBytes);
  });

  test("gives an image without a platform the one of its descriptor", () => {
    const plain = image("p", {});
    const platform = { os: "linux", architecture: "arm", variant: "v7" };
    const { children } = index([{ of: plain, more: { platform } }]);
    expect(children).toEqual([{ digest: plain.digest, platform: { os: "linux", arch: "arm/v7" } }]);
  });

  test("shows the images of indexes in it, each once", () => {
    const inner = { ...index([{ of: amd }, { of: arm }]), digest: digest("inner") };
    const outer = index([{ of: inner }, { of: amd }], undefined, [inner, amd, arm]);
    expect(outer.children.map(({ digest: child }) => child)).toEqual([amd.digest, arm.digest]);
    expect(outer.updatedAt).toBe(ms(3));
    expect(new Set(outer.names)).toEqual(new Set([inner.digest, amd.digest, arm.digest]));
  });
});
