// The data of the corpus: twelve repositories, with tags that move, layers that others build on, an index of two
// platforms, a signature, a report of a scanner, a chart. The same bytes every time, so that digests are constants.

import { mediaTypes } from "../../src/oci/media_types.ts";
import type { ImageParts, SearchWorld } from "./search_world.ts";

const oci = "org.opencontainers.image.";

function config(created: string, arch = "amd64", more: object = {}): object {
  return {
    os: "linux",
    architecture: arch,
    created,
    history: [
      { created, created_by: "ADD rootfs.tar /" },
      { created, created_by: 'CMD ["/bin/sh"]', empty_layer: true },
      { created, created_by: "COPY app /app", comment: "buildkit" },
    ],
    ...more,
  };
}

const base: ImageParts = {
  layers: ["rootfs"],
  config: { ...config("2026-01-02T03:04:05Z"), history: [{ created_by: "ADD rootfs.tar /" }] },
  annotations: {
    [`${oci}title`]: "alpine",
    [`${oci}description`]: "A small base",
    [`${oci}licenses`]: "MIT",
    [`${oci}vendor`]: "Alpine",
    [`${oci}source`]: "https://example.com/alpine",
    [`${oci}documentation`]: "https://example.com/docs",
  },
};

/** Pushes all of it, and waits until it is summarised. */
export async function pushCorpus(world: SearchWorld): Promise<void> {
  await world.push("library/alpine", "3.19", { ...base, layers: ["older rootfs"] });
  await world.push("library/alpine", "3.20", base);
  await world.push("team/app", "v1", {
    layers: ["rootfs", "app"],
    config: config("2026-02-01T00:00:00Z"),
  });
  await world.push("team/app", "v2", {
    layers: ["rootfs", "app", "more"],
    config: config("2026-03-01T00:00:00Z", "amd64", {
      config: { Labels: { [`${oci}vendor`]: "Team", [`${oci}authors`]: "us" } },
    }),
  });
  const amd = await world.push("team/multi", null, {
    layers: ["rootfs", "multi amd64"],
    config: config("2026-02-02T00:00:00Z"),
  });
  const arm = await world.push("team/multi", null, {
    layers: ["rootfs arm64", "multi arm64"],
    config: config("2026-02-03T00:00:00Z", "arm64", { variant: "v8" }),
  });
  await world.index("team/multi", "1.0", [
    { of: amd, more: { platform: { os: "linux", architecture: "amd64" } } },
    { of: arm, more: { platform: { os: "linux", architecture: "arm64", variant: "v8" } } },
  ]);
  const signed = await world.push("team/signed", "1.0", {
    layers: ["signed"],
    config: config("2026-01-01T00:00:00Z"),
  });
  await about(world, "team/signed", signed, "application/vnd.dev.cosign.artifact.sig.v1+json");
  await about(world, "team/signed", signed, "application/sarif+json", { report: "yes" });
  await world.push("charts/web", "1.2.3", {
    configType: "application/vnd.cncf.helm.config.v1+json",
    config: { name: "web", version: "1.2.3" },
    layers: ["chart"],
  });
  await world.push("plain/nothing", "latest", { layers: ["nothing"] });
  for (const name of ["a", "b", "c", "d", "e", "f"]) {
    await world.push(`many/${name}`, "1", {
      layers: [`many ${name}`],
      config: config("2025-01-01T00:00:00Z"),
    });
  }
  await world.settled();
}

async function about(
  world: SearchWorld,
  repository: string,
  subject: { readonly mediaType: string; readonly digest: string; readonly bytes: Uint8Array },
  artifactType: string,
  annotations?: Record<string, string>,
): Promise<void> {
  await world.push(repository, null, {
    configType: mediaTypes.ociEmpty,
    layers: [artifactType],
    members: {
      artifactType,
      subject: {
        mediaType: subject.mediaType,
        digest: subject.digest,
        size: subject.bytes.length,
      },
      ...(annotations === undefined ? {} : { annotations }),
    },
  });
}
