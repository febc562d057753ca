// What a row of the table of artifact kinds is, and what rows share.

/** What a manifest says of its kind. Types as they are written; parameters and case do not count. */
export interface ArtifactFacts {
  readonly kind: "image" | "index";
  readonly artifactType: string | null;
  /** Media type of the config; null for an index. */
  readonly configType: string | null;
  /** Media types of the layers. */
  readonly layerTypes: readonly string[];
  /** Of the manifest, with those of the descriptor that names it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** For chips and icons. */
export type ArtifactGroup =
  | "image"
  | "package"
  | "trust"
  | "document"
  | "build"
  | "model"
  | "policy"
  | "other";

/** All members that are given must fit. A type that ends with `*` is the beginning of one. */
export interface Recogniser {
  readonly artifactType?: string;
  readonly configType?: string;
  readonly layerType?: string;
  /** Its value begins so; "" is any. */
  readonly annotation?: readonly [key: string, beginning: string];
}

export interface ArtifactKind {
  readonly id: string;
  readonly label: string;
  readonly group: ArtifactGroup;
  readonly recognisedBy: readonly Recogniser[];
  /** What to show, in order: a label, and where it stands (`artifact_summary.ts`). */
  readonly fields: readonly (readonly [label: string, source: string])[];
  /** Layer types that are text or JSON worth showing, where the blob is small. */
  readonly texts: readonly string[];
  /** Command lines by the name of the client (`artifact_commands.ts`). The first that can be filled in counts. */
  readonly commands: readonly (readonly [client: string, line: string])[];
}

/** Annotations of the image specification, as sources of fields. */
export const annotation = {
  title: "annotation:org.opencontainers.image.title",
  version: "annotation:org.opencontainers.image.version",
  description: "annotation:org.opencontainers.image.description",
  source: "annotation:org.opencontainers.image.source",
  revision: "annotation:org.opencontainers.image.revision",
  created: "annotation:org.opencontainers.image.created",
  licenses: "annotation:org.opencontainers.image.licenses",
  documentation: "annotation:org.opencontainers.image.documentation",
  url: "annotation:org.opencontainers.image.url",
  vendor: "annotation:org.opencontainers.image.vendor",
} as const;

type CommandLine = readonly [client: string, line: string];

/** What clients of images pull with. */
export const pullLines: readonly CommandLine[] = [
  ["docker", "docker pull {reference}"],
  ["podman", "podman pull{plain} {reference}"],
  ["containerd", "ctr images pull{plain} {reference}"],
  ["nerdctl", "nerdctl pull{plain} {reference}"],
  ["skopeo", "skopeo copy{plain} docker://{reference} oci:{name}"],
  ["crane", "crane pull{plain} {reference} {name}.tar"],
  ["regctl", "regctl image copy {reference} ocidir://{name}"],
  ["zot", "zot copy docker://{reference} oci:{name}"],
];
export const orasPull: CommandLine = ["oras", "oras pull{plain} {reference}"];
export const zotCopy: CommandLine = ["zot", "zot copy docker://{reference} oci:{name}"];
/** Of files in an artifact without a client of their own. */
export const fileLines: readonly CommandLine[] = [orasPull, zotCopy];
/** Of documents about an image. */
export const fetchLines: readonly CommandLine[] = [
  orasPull,
  ["oras discover", "oras discover{plain} {subject}"],
  zotCopy,
];
