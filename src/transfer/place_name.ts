/**
 * Names of places as people write them: `docker://host/name:tag`, `oci:DIRECTORY[:NAME]`, `oci-archive:FILE[:NAME]`, as
 * with skopeo. A name without a host is Docker Hub's, as with docker.
 */
import { parseDigest } from "../oci/digest.ts";
import { isRepositoryName, parseReference } from "../oci/reference.ts";
import { TransferError } from "./image_place.ts";

export interface RegistryPlaceName {
  readonly kind: "registry";
  /** What the client connects to: a host, or a URL with a scheme. */
  readonly server: string;
  readonly repository: string;
  /** A tag or a digest; null when only the repository was named. */
  readonly reference: string | null;
}

interface FilesPlaceName<Kind> {
  readonly kind: Kind;
  readonly path: string;
  /** A tag, a full name or a digest; null when there is none. */
  readonly reference: string | null;
}

export type PlaceName = RegistryPlaceName | FilesPlaceName<"directory"> | FilesPlaceName<"archive">;

const forms = "docker://HOST/NAME[:TAG|@DIGEST], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]";
/** A first component with a dot or a port is a host, and so is localhost. */
const hosted = /^(https?:\/\/[^/]+|localhost|\[[^\]/]+\](?::\d+)?|[^/@]*[.:][^/@]*)\/(.+)$/i;
const hubNames: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry.hub.docker.com",
]);
const hubServer = "registry-1.docker.io";
/** What other tools take for a name in a layout. */
const layoutName = /^[A-Za-z0-9]+(?:[-._:@/+]+[A-Za-z0-9]+)*$/;
const layoutNameLengthMax = 512;

/** Reads the name of a place. @throws TransferError. */
export function parsePlaceName(text: string): PlaceName {
  const [, scheme, rest] = /^(docker:\/\/|https?:\/\/|oci-archive:|oci:)(.+)$/s.exec(text) ?? [];
  if (rest === undefined || scheme === undefined) {
    throw new TransferError(`expected ${forms}; got '${text}'`);
  }
  if (scheme === "oci:") return layoutPlace("directory", rest, text);
  if (scheme === "oci-archive:") return layoutPlace("archive", rest, text);
  return registryPlace(scheme === "docker://" ? rest : text, text);
}

/** The name again, for messages: without a reference. */
export function labelOf(place: PlaceName): string {
  if (place.kind === "directory") return `oci:${place.path}`;
  if (place.kind === "archive") return `oci-archive:${place.path}`;
  const server = place.server === hubServer ? "docker.io" : place.server;
  return `${server.includes("://") ? "" : "docker://"}${server}/${place.repository}`;
}

function registryPlace(rest: string, text: string): PlaceName {
  const [, given = "docker.io", path = rest] = hosted.exec(rest) ?? [];
  const at = path.indexOf("@");
  const colon = path.indexOf(":", path.lastIndexOf("/", at === -1 ? undefined : at) + 1);
  // `app:1.0@sha256:…` names the digest, as with docker.
  const ends = [at, colon].filter((place) => place !== -1);
  const nameEnd = ends.length === 0 ? path.length : Math.min(...ends);
  const name = path.slice(0, nameEnd);
  const reference = nameEnd === path.length ? null : path.slice((at === -1 ? nameEnd : at) + 1);
  const isHub = hubNames.has(given.toLowerCase());
  const repository = isHub && !name.includes("/") ? `library/${name}` : name;
  const isFine =
    isRepositoryName(repository) &&
    (reference === null || parseReference(reference).kind !== "invalid");
  if (!isFine) throw new TransferError(`expected docker://HOST/NAME[:TAG|@DIGEST]; got '${text}'`);
  return { kind: "registry", server: isHub ? hubServer : given, repository, reference };
}

function layoutPlace(kind: "directory" | "archive", rest: string, text: string): PlaceName {
  const digest = /@((?:sha256|sha512):[0-9a-f]+)$/.exec(rest)?.[1] ?? null;
  if (digest !== null && parseDigest(digest) !== null) {
    return { kind, path: rest.slice(0, -digest.length - 1), reference: digest };
  }
  const colon = rest.indexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const name = colon === -1 ? null : rest.slice(colon + 1);
  const isName = name === null || (name.length <= layoutNameLengthMax && layoutName.test(name));
  if (path === "" || !isName) {
    throw new TransferError(
      `expected oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]; got '${text}'`,
    );
  }
  return { kind, path, reference: name };
}
