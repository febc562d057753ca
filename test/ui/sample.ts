// A small company's registry, as the pictures and most tests of the interface show it.

import { noise, type ImageWanted, type LayerWanted, type Pusher } from "./images.ts";

const kiB = 1024;

function base(architecture: string, seed: number): LayerWanted {
  return {
    command: "/bin/sh -c #(nop) ADD file:7b5a in / ",
    files: {
      "etc/os-release": `PRETTY_NAME="Alpine Linux v3.22"\nARCH=${architecture}\n`,
      "lib/libc.so": noise(420 * kiB, seed),
      "bin/busybox": noise(160 * kiB, seed + 1),
    },
  };
}

/** Of the noise in a base: images of one platform have the same. */
function seedOf(architecture: string): number {
  return Buffer.from(architecture).reduce((sum, byte) => sum + byte, 0);
}

export function appImage(
  version: string,
  architecture = "amd64",
  more: Partial<ImageWanted> = {},
): ImageWanted {
  const seed = seedOf(architecture);
  const release = Buffer.from(version).reduce((sum, byte) => (sum * 7 + byte) % 9973, 0);
  return {
    architecture,
    layers: [
      base(architecture, seed),
      {
        command: "RUN /bin/sh -c apk add --no-cache ca-certificates tzdata # buildkit",
        files: {
          "etc/ssl/cert.pem": noise(110 * kiB, 5),
          "usr/share/zoneinfo/UTC": noise(4 * kiB, 6),
        },
      },
      {
        command: "COPY /out/app /app # buildkit",
        files: {
          app: noise(700 * kiB + (release % 64) * kiB, seed + release),
          "etc/app/config.yaml": `version: ${version}\nlisten: :8080\n`,
        },
      },
    ],
    config: {
      User: "65532:65532",
      ExposedPorts: { "8080/tcp": {}, "9090/tcp": {} },
      Env: [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        `APP_VERSION=${version}`,
        "APP_LOG=info",
      ],
      Entrypoint: ["/app"],
      Cmd: ["serve", "--config", "/etc/app/config.yaml"],
      WorkingDir: "/srv",
      Volumes: { "/data": {} },
      StopSignal: "SIGTERM",
      Healthcheck: { Test: ["CMD", "/app", "health"], Interval: 30_000_000_000 },
      Labels: {
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.source": "https://git.example.com/team/shop",
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    },
    ...more,
  };
}

const describes = (text: string) => ({ "org.opencontainers.image.description": text });

/** Fills a registry. */
export async function pushSample(pusher: Pusher): Promise<void> {
  const platforms = ["amd64", "arm64"] as const;
  for (const version of ["1.8.0", "1.9.0", "1.10.0-rc.1", "1.10.0"]) {
    const images = platforms.map((architecture) =>
      appImage(version, architecture, architecture === "arm64" ? { variant: "v8" } : {}),
    );
    const pushed = await pusher.index(
      "team/shop",
      version,
      images,
      describes("The shop: catalogue, basket and checkout in one process"),
    );
    if (version !== "1.10.0") continue;
    await pusher.index(
      "team/shop",
      "latest",
      images,
      describes("The shop: catalogue, basket and checkout in one process"),
    );
    await pushReferrers(pusher, "team/shop", pushed);
  }
  for (const [index, name] of ["team/payments", "team/search", "tools/builder"].entries()) {
    for (const version of ["0.3.1", "0.4.0"].slice(index % 2)) {
      await pusher.image(name, version, {
        ...appImage(`${name}-${version}`),
        annotations: describes(`${name.split("/")[1] ?? ""} of the shop`),
      });
    }
  }
  await pusher.image("library/alpine", "3.22", {
    layers: [base("amd64", seedOf("amd64"))],
    annotations: describes("A minimal image based on Alpine Linux"),
    config: { Cmd: ["/bin/sh"] },
  });
  await pushChart(pusher);
}

/** A signature and an SBOM of an image. */
export async function pushReferrers(
  pusher: Pusher,
  repository: string,
  subject: { readonly mediaType: string; readonly digest: string; readonly size: number },
  packages: Readonly<Record<string, string>> = {
    "ca-certificates": "20260611-r0",
    musl: "1.2.6-r0",
    tzdata: "2026c-r0",
  },
): Promise<void> {
  await pusher.artifact(repository, null, {
    artifactType: "application/spdx+json",
    contentType: "application/spdx+json",
    subject,
    annotations: { "org.opencontainers.image.created": "2026-11-20T08:31:00Z" },
    content: JSON.stringify({
      spdxVersion: "SPDX-2.3",
      name: repository,
      creationInfo: { created: "2026-11-20T08:31:00Z", creators: ["Tool: syft-1.40.0"] },
      packages: Object.entries(packages).map(([name, versionInfo]) => ({
        name,
        versionInfo,
        SPDXID: `SPDXRef-${name}`,
        licenseDeclared: "MIT",
        externalRefs: [
          { referenceType: "purl", referenceLocator: `pkg:apk/alpine/${name}@${versionInfo}` },
        ],
      })),
    }),
  });
  await pusher.artifact(repository, null, {
    artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json",
    contentType: "application/vnd.dev.cosign.simplesigning.v1+json",
    subject,
    content: JSON.stringify({ critical: { image: { "docker-manifest-digest": subject.digest } } }),
  });
}

async function pushChart(pusher: Pusher): Promise<void> {
  await pusher.artifact("charts/shop", "2.1.0", {
    artifactType: "application/vnd.cncf.helm.config.v1+json",
    contentType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    config: {
      mediaType: "application/vnd.cncf.helm.config.v1+json",
      value: {
        name: "shop",
        version: "2.1.0",
        appVersion: "1.10.0",
        description: "The shop on Kubernetes",
        apiVersion: "v2",
        type: "application",
        home: "https://git.example.com/team/shop",
        maintainers: [{ name: "The shop team", email: "shop@example.com" }],
        keywords: ["shop", "web"],
        dependencies: [
          { name: "redis", version: "21.x", repository: "https://charts.example.com" },
        ],
      },
    },
    content: noise(14 * kiB, 77),
    // As helm does.
    annotations: describes("The shop on Kubernetes"),
  });
}
