// Makes content to push: noise, layers, configs, image manifests, indexes, artifacts, all from a seed.
//
// The same seed gives the same bytes, so a run can be repeated; another run has other digests, so
// that nothing is found to be there already. Manifests are written as a client would write them,
// member by member. Nothing here touches a registry.
import { createCipheriv, createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Descriptor } from "../oci/descriptor.ts";
import { type Algorithm, type Digest, digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";

export interface Blob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export interface ManifestContent {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** Digest of the subject; null for none. */
  readonly subject: string | null;
  /** How others point to it, and how the list of referrers must show it. */
  readonly descriptor: Descriptor;
}

export interface ImageOptions {
  artifactType?: string;
  configType?: string;
  configBytes?: Uint8Array;
  layerCount?: number;
  layerType?: string;
  layerBytes?: Uint8Array;
  gzip?: boolean;
  annotations?: Record<string, string>;
  subject?: Descriptor;
  platform?: { os: string; architecture: string };
  /** Put the content of config and layers into `data` of their descriptors. */
  embedData?: boolean;
  /** Add members that no specification knows. */
  extraMembers?: boolean;
  /** Further layers whose content is not pushed. */
  foreignLayers?: readonly Descriptor[];
}

export const exampleTypes = {
  one: "application/vnd.example.compliance.one+json",
  two: "application/vnd.example.compliance.two+json",
} as const;

const encoder = new TextEncoder();
export const emptyJson = encoder.encode("{}");

/** Collects content of one scenario: `blobs` and `manifests` in the order to push them. */
export class ContentMaker {
  readonly algorithm: Algorithm;
  readonly blobs = new Map<Digest, Blob>();
  readonly manifests: ManifestContent[] = [];
  readonly #seed: string;
  #drawn = 0;

  constructor(seed: string, algorithm: Algorithm = "sha256") {
    this.#seed = seed;
    this.algorithm = algorithm;
  }

  /** Bytes that look random, each call others. */
  noise(bytes: number): Uint8Array {
    const key = createHash("sha256")
      .update(`${this.#seed} ${this.#drawn++}`)
      .digest();
    const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
    return cipher.update(Buffer.alloc(bytes));
  }

  /** A short name that is new in every run. */
  name(prefix: string): string {
    return `${prefix}-${Buffer.from(this.noise(6)).toString("hex")}`;
  }

  blob(bytes: Uint8Array): Blob {
    const digest = digestOf(this.algorithm, bytes);
    const blob = { digest, bytes };
    this.blobs.set(digest, blob);
    return blob;
  }

  /** A tar archive with one file, compressed when asked. */
  layer(options: { gzip: boolean }): Blob {
    const archive = tarArchive(`file-${this.#drawn}.txt`, this.noise(700));
    return this.blob(options.gzip ? gzipSync(archive) : archive);
  }

  /** An image manifest with its config and layers. */
  image(options: ImageOptions = {}): ManifestContent {
    const gzip = options.gzip ?? true;
    const layers = Array.from({ length: options.layerCount ?? 2 }, () => {
      const blob =
        options.layerBytes === undefined ? this.layer({ gzip }) : this.blob(options.layerBytes);
      const type = options.layerType ?? (gzip ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer);
      return this.#descriptor(blob, type, options.embedData);
    });
    const config = this.blob(options.configBytes ?? this.#config(options));
    const configType = options.configType ?? mediaTypes.ociConfig;
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociImage,
      ...(options.artifactType === undefined ? {} : { artifactType: options.artifactType }),
      config: this.#descriptor(config, configType, options.embedData),
      layers: [...layers, ...(options.foreignLayers ?? [])],
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      ...(options.extraMembers === true ? extraMembers : {}),
    };
    return this.manifest(manifest, mediaTypes.ociImage, {
      artifactType: options.artifactType ?? configType,
      ...options,
    });
  }

  /** An index of manifests that were made before. */
  index(
    children: readonly ManifestContent[],
    options: Pick<ImageOptions, "artifactType" | "annotations" | "subject" | "extraMembers"> & {
      platforms?: readonly { os: string; architecture: string }[];
    } = {},
  ): ManifestContent {
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      ...(options.artifactType === undefined ? {} : { artifactType: options.artifactType }),
      manifests: children.map(({ mediaType, digest, bytes }, at) => ({
        mediaType,
        digest,
        size: bytes.length,
        ...(options.platforms?.[at] === undefined ? {} : { platform: options.platforms[at] }),
      })),
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      ...(options.extraMembers === true ? extraMembers : {}),
    };
    return this.manifest(manifest, mediaTypes.ociIndex, options);
  }

  /** Any manifest, from its JSON members or its exact text. */
  manifest(
    members: object | string,
    mediaType: string,
    referrer: Pick<ImageOptions, "artifactType" | "annotations" | "subject"> = {},
  ): ManifestContent {
    const bytes = encoder.encode(typeof members === "string" ? members : JSON.stringify(members));
    const digest = digestOf(this.algorithm, bytes);
    const { artifactType, annotations, subject } = referrer;
    const descriptor: Descriptor = {
      mediaType,
      digest,
      size: bytes.length,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    const made = { digest, bytes, mediaType, subject: subject?.digest ?? null, descriptor };
    this.manifests.push(made);
    return made;
  }

  #config(options: ImageOptions): Uint8Array {
    const config = {
      ...(options.platform ?? { os: "linux", architecture: "amd64" }),
      created: "2024-01-01T00:00:00Z",
      config: { Labels: { run: this.name("run") } },
      rootfs: { type: "layers", diff_ids: [] },
      ...(options.extraMembers === true ? extraMembers : {}),
    };
    return encoder.encode(JSON.stringify(config));
  }

  #descriptor(blob: Blob, mediaType: string, embedData = false): Descriptor {
    const data = embedData ? { data: Buffer.from(blob.bytes).toString("base64") } : {};
    return { mediaType, digest: blob.digest, size: blob.bytes.length, ...data };
  }
}

const extraMembers = {
  "org.example.unknown": "a member that nobody knows",
  futureObject: { list: [1, 2.5, null, true], nested: { deep: "value" } },
};

/** A pointer to a manifest as other manifests carry it, without the members for lists of referrers. */
export function plainDescriptor(manifest: ManifestContent): Descriptor {
  const { mediaType, digest, bytes } = manifest;
  return { mediaType, digest, size: bytes.length };
}

/** A tar archive (ustar) with one regular file. */
function tarArchive(name: string, content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(512);
  header.write(name, 0, "ascii");
  header.write("0000644\u00000000000\u00000000000\u0000", 100, "ascii");
  header.write(
    `${content.length.toString(8).padStart(11, "0")}\u000000000000000\u0000`,
    124,
    "ascii",
  );
  header.write("        0", 148, "ascii");
  header.write("ustar\u000000", 257, "ascii");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148, "ascii");
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
