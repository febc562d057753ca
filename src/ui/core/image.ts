/**
 * Manifests and configs as pages show them. What was pushed is anybody's text: whatever does not have the shape that it
 * should is left out, and nothing here throws because of it.
 */
import { platformText } from "./format.ts";
import { Problem, request } from "./http.ts";
import { listOf, membersOf, parsed, textOf, type Members } from "./shapes.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType: string | null;
  readonly annotations: Readonly<Record<string, string>>;
  /** `linux/arm64/v8`; empty for none. */
  readonly platform: string;
}

export interface Manifest {
  readonly repository: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly text: string;
  /** The parsed manifest. */
  readonly document: Members;
  readonly isIndex: boolean;
  readonly config: Descriptor | null;
  readonly layers: readonly Descriptor[];
  /** Of an index. */
  readonly children: readonly Descriptor[];
  readonly subject: Descriptor | null;
  readonly annotations: Readonly<Record<string, string>>;
}

export const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.artifact.manifest.v1+json",
].join(", ");

/** Configs and texts that are read to be shown. */
const readBytesMax = 1024 * 1024;
/** SBOMs are larger, and looked through. */
export const documentBytesMax = 16 * 1024 * 1024;

export async function loadManifest(
  repository: string,
  reference: string,
  signal: AbortSignal,
): Promise<Manifest> {
  const response = await request(`v2/${repository}/manifests/${reference}`, {
    headers: { Accept: manifestTypes },
    signal,
  });
  const text = await response.text();
  const digest = response.headers.get("Docker-Content-Digest") ?? reference;
  const mediaType = response.headers.get("Content-Type") ?? "";
  return readManifest({ repository, digest, mediaType, text });
}

export function readManifest(
  given: Pick<Manifest, "repository" | "digest" | "mediaType" | "text">,
): Manifest {
  const document = membersOf(parsed(given.text));
  const layers = listOf(document["layers"] ?? document["blobs"]);
  return {
    ...given,
    size: new TextEncoder().encode(given.text).length,
    document,
    isIndex: Array.isArray(document["manifests"]),
    config: descriptorOf(document["config"]),
    layers: layers.flatMap((each) => descriptorOf(each) ?? []),
    children: listOf(document["manifests"]).flatMap((each) => descriptorOf(each) ?? []),
    subject: descriptorOf(document["subject"]),
    annotations: textsOf(document["annotations"]),
  };
}

export function descriptorOf(value: unknown): Descriptor | null {
  const members = membersOf(value);
  const digest = textOf(members["digest"]);
  if (!/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[\w=-]+$/.test(digest)) return null;
  const size = members["size"];
  const platform = membersOf(members["platform"]);
  return {
    digest,
    mediaType: textOf(members["mediaType"]),
    size: typeof size === "number" && size >= 0 ? size : 0,
    artifactType: textOf(members["artifactType"]) || null,
    annotations: textsOf(members["annotations"]),
    platform: platformText({
      os: textOf(platform["os"]),
      architecture: textOf(platform["architecture"]),
      variant: textOf(platform["variant"]),
    }),
  };
}

/** Whether a child of an index says something of another child, as BuildKit's do. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  return (
    annotations["vnd.docker.reference.type"] === "attestation-manifest" ||
    platform.startsWith("unknown/")
  );
}

/** The parsed config; null where there is none, or it is no JSON, or too large to be one. */
export async function loadConfig(manifest: Manifest, signal: AbortSignal): Promise<unknown> {
  const { config, repository } = manifest;
  if (config === null || config.size > readBytesMax || config.size < 2) return null;
  return parsed(await loadText(repository, config, readBytesMax, signal));
}

/** A blob as text. @throws Problem where it is larger. */
export async function loadText(
  repository: string,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  bytesMax: number,
  signal: AbortSignal,
): Promise<string> {
  if (size > bytesMax) throw new Problem(0, "It is too large to be shown here.");
  const response = await request(`v2/${repository}/blobs/${digest}`, { signal });
  return await response.text();
}

/** A step of an image's history, and the layer that it made. */
export interface Step {
  readonly command: string;
  readonly comment: string;
  readonly layer: Descriptor | null;
}

/** History with the layers that belong to it: those without history, and history without layers, are shown as well. */
export function stepsOf(manifest: Manifest, config: unknown): Step[] {
  const layers = [...manifest.layers];
  const history = listOf(membersOf(config)["history"]);
  const steps = history.map((entry): Step => {
    const members = membersOf(entry);
    const layer = members["empty_layer"] === true ? null : (layers.shift() ?? null);
    return { command: textOf(members["created_by"]), comment: textOf(members["comment"]), layer };
  });
  return [...steps, ...layers.map((layer) => ({ command: "", comment: "", layer }))];
}

/** A command as it stood in a Dockerfile, without what builders put around it. */
export function commandText(command: string): string {
  return command
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, "")
    .replace(/^(RUN )?\/bin\/sh -c /, "RUN ")
    .replace(/\s+# buildkit$/, "")
    .replace(/^RUN (COPY|ADD|ENV|CMD|ENTRYPOINT|WORKDIR|USER|EXPOSE|LABEL|ARG|VOLUME)\b/, "$1")
    .trim();
}

export type Section = readonly [title: string, rows: readonly (readonly [string, string])[]];

/** What a container is started with, for people. */
export function sectionsOf(config: unknown): Section[] {
  const image = membersOf(config);
  const run = membersOf(image["config"]);
  const health = membersOf(run["Healthcheck"]);
  const sections: Section[] = [
    [
      "Runs",
      pairs([
        ["Entrypoint", argumentsText(run["Entrypoint"])],
        ["Command", argumentsText(run["Cmd"])],
        ["Directory", textOf(run["WorkingDir"])],
        ["User", textOf(run["User"])],
        ["Ports", Object.keys(membersOf(run["ExposedPorts"])).join(", ")],
        ["Volumes", Object.keys(membersOf(run["Volumes"])).join(", ")],
        ["Stop signal", textOf(run["StopSignal"])],
        ["Health check", argumentsText(health["Test"])],
        ["Shell", argumentsText(run["Shell"])],
      ]),
    ],
    ["Environment", listOf(run["Env"]).map((entry) => variableOf(textOf(entry)))],
    ["Labels", Object.entries(textsOf(run["Labels"]))],
    [
      "Built",
      pairs([
        ["Created", textOf(image["created"])],
        ["Author", textOf(image["author"])],
        ["OS", textOf(image["os"])],
        [
          "Architecture",
          [textOf(image["architecture"]), textOf(image["variant"])].filter(Boolean).join("/"),
        ],
        ["OS version", textOf(image["os.version"])],
      ]),
    ],
  ];
  return sections.filter(([, rows]) => rows.length > 0);
}

function pairs(rows: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return rows.filter(([, value]) => value !== "");
}

function variableOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function argumentsText(value: unknown): string {
  if (typeof value === "string") return value;
  return listOf(value)
    .map((each) => textOf(each))
    .map((each) => (/^[\w./:=@%+,-]+$/.test(each) ? each : JSON.stringify(each)))
    .join(" ");
}

export function createdOf(manifest: Manifest, config: unknown): string | null {
  const annotated = manifest.annotations["org.opencontainers.image.created"];
  return annotated ?? (textOf(membersOf(config)["created"]) || null);
}

/** Bytes that a pull of it fetches, as far as the manifest says. */
export function bytesOf({ size, config, layers }: Manifest): number {
  const blobs = new Map(
    [...layers, ...(config === null ? [] : [config])].map((each) => [each.digest, each.size]),
  );
  return [...blobs.values()].reduce((sum, each) => sum + each, size);
}

export async function loadReferrers(
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<Descriptor[]> {
  const response = await request(`v2/${repository}/referrers/${digest}`, { signal });
  const index = membersOf(parsed(await response.text()));
  return listOf(index["manifests"]).flatMap((each) => descriptorOf(each) ?? []);
}

function textsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(membersOf(value)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );
}

/** Links of annotations: to the web, and nothing that a browser would run. */
export function webLink(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text).href;
}
