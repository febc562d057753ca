// Images for tests of what looks at them: an index with two platforms, versions of one image, a chart, an SBOM; with
// layers that are real tars.

import { gzipSync } from "node:zlib";
import { fileHeader, paddingOf, tarBlockBytes, tarEnd } from "../src/lib/tar_format.ts";
import type { Platform } from "../src/oci/descriptor.ts";
import { copyImages } from "../src/transfer/copy_images.ts";
import { openTarget } from "../src/transfer/open_place.ts";
import { parsePlaceName } from "../src/transfer/place_name.ts";
import { testRetries } from "./contracts/image_places.ts";
import { MemorySource, type Made } from "./transfer/memory_source.ts";

export interface TarEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** Of a header of tar: `5` is a directory, `2` a symbolic link. */
  readonly type?: string;
  readonly mode?: number;
  readonly target?: string;
}

/** A tar of these entries. */
export function tarOf(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.flatMap((entry) => {
    const { name, content = "", type = "0", mode, target } = entry;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const header = fileHeader(name, bytes.length).slice();
    const own = header.subarray(header.length - tarBlockBytes);
    own[156] = type.charCodeAt(0);
    if (mode !== undefined) put(own, 100, `${mode.toString(8).padStart(7, "0")}\0`);
    if (target !== undefined) put(own, 157, target);
    put(own, 148, "        ");
    const sum = own.reduce((total, byte) => total + byte, 0);
    put(own, 148, `${sum.toString(8).padStart(6, "0")}\0 `);
    return [header, bytes, new Uint8Array(paddingOf(bytes.length))];
  });
  return Buffer.concat([...blocks, tarEnd()]);
}

function put(block: Uint8Array, at: number, text: string): void {
  block.set(new TextEncoder().encode(text), at);
}

const gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip";

interface ImageOf {
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config?: object;
  readonly architecture?: string;
  readonly tag?: string;
}

/** An image as a build tool writes it. */
export function addImage(
  source: MemorySource,
  { layers, config = {}, architecture = "amd64", tag }: ImageOf,
): Made {
  const document = {
    created: "2026-01-02T03:04:05Z",
    os: "linux",
    architecture,
    config,
    rootfs: { type: "layers", diff_ids: [] },
    history: [
      { created_by: "ENV A=1", empty_layer: true },
      ...layers.map((_, at) => ({ created_by: `COPY part${at} /` })),
    ],
  };
  const made = {
    config: source.blobOf(JSON.stringify(document), "application/vnd.oci.image.config.v1+json"),
    layers: layers.map((entries) => source.blobOf(gzipSync(tarOf(entries)), gzipLayer)),
  };
  return source.manifestOf(made, undefined, tag ?? null);
}

/** An SBOM in SPDX about an image. */
export function addSbom(
  source: MemorySource,
  subject: Made,
  packages: Readonly<Record<string, string>>,
): Made {
  const type = "application/spdx+json";
  const listed = Object.entries(packages).map(([name, versionInfo]) => ({ name, versionInfo }));
  const document = { spdxVersion: "SPDX-2.3", name: "sbom", packages: listed };
  const config = source.blobOf("{}", "application/vnd.oci.empty.v1+json");
  const layers = [source.blobOf(JSON.stringify(document), type)];
  return source.manifestOf({ artifactType: type, config, layers, subject });
}

const first: readonly TarEntry[] = [
  { name: "etc/", type: "5", mode: 0o755 },
  { name: "etc/app.conf", content: "port=80\n", mode: 0o644 },
  { name: "etc/old.conf", content: "old\n" },
  { name: "bin/app", content: "x".repeat(1_000), mode: 0o755 },
  { name: "var/cache/a", content: "a" },
  { name: "var/cache/b", content: "b" },
];
const second: readonly TarEntry[] = [
  { name: "bin/app", content: "y".repeat(1_200), mode: 0o755 },
  { name: "etc/.wh.old.conf" },
  { name: "etc/new.conf", content: "new\n" },
  { name: "var/cache/.wh..wh..opq" },
  { name: "var/cache/c", content: "c" },
];

/** `1.0`, `1.9` and `1.10` are versions of one image, `multi` is an index of `1.0` and another, `chart` is a chart. */
export function inspectedImages(): MemorySource {
  const source = new MemorySource();
  const env = (version: string) => ({
    Env: ["PATH=/bin", `VERSION=${version}`],
    Cmd: ["/bin/app"],
    Labels: { team: "blue" },
  });
  const one = addImage(source, { layers: [first], config: env("1.0"), tag: "1.0" });
  const two = addImage(source, {
    layers: [first, second],
    config: { ...env("1.10"), User: "app" },
    tag: "1.10",
  });
  addImage(source, { layers: [first], config: env("1.9"), tag: "1.9" });
  const other = addImage(source, { layers: [first.slice(0, 2)], architecture: "arm64" });
  const of = (image: Made, platform: Platform): Made & object => Object.assign({ platform }, image);
  source.index(
    [
      of(one, { os: "linux", architecture: "amd64" }),
      of(other, { os: "linux", architecture: "arm64", variant: "v8" }),
    ],
    "multi",
  );
  addSbom(source, one, { busybox: "1.36", curl: "8.0", old: "1" });
  addSbom(source, two, { busybox: "1.37", curl: "8.0", fresh: "2" });
  const signature = "application/vnd.dev.cosign.simplesigning.v1+json";
  source.manifestOf(
    {
      config: source.blobOf("{}", "application/vnd.oci.image.config.v1+json"),
      layers: [source.blobOf('{"critical":{}}', signature)],
    },
    undefined,
    `${two.digest.replace(":", "-")}.sig`,
  );
  const chart = { name: "web", version: "1.2.0", description: "A chart" };
  const chartType = "application/vnd.cncf.helm.config.v1+json";
  source.manifestOf(
    {
      config: source.blobOf(JSON.stringify(chart), chartType),
      layers: [source.blobOf("chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
    },
    undefined,
    "chart",
  );
  return source;
}

/** Copies all of a source to a place, such as `oci:DIRECTORY` or `http://HOST/NAME`. */
export async function placeImages(from: MemorySource, to: string): Promise<void> {
  const place = parsePlaceName(to);
  const target = await openTarget(place, {
    retries: testRetries,
    client: {},
    source: parsePlaceName("oci:none"),
    isDryRun: false,
  });
  const images = [...from.names.keys()].map((tag) => ({ reference: tag, tag }));
  const report = await copyImages({
    source: from,
    target,
    images,
    platforms: [],
    withReferrers: true,
    parallel: 1,
    retries: testRetries,
  });
  await target.close();
  if (report.failed.length > 0) throw new Error(`not copied: ${JSON.stringify(report.failed)}`);
}
