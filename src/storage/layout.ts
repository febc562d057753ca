/**
 * Where everything lies under the root directory; the only place that makes keys.
 *
 *     <root>/
 *       <repository>/                one directory per repository; `a` and `a/b` may both be one
 *         oci-layout                 {"imageLayoutVersion":"1.0.0"}
 *         index.json                 written by the projector, after the commit
 *         blobs/<algorithm>/<hex>    blobs and manifests; equal ones of two repositories are one inode
 *       _zot/                        ours; no repository name begins with `_`
 *         metadata.db (-wal, -shm)   the metadata
 *         epochs                     counters that tell workers what they may remember
 *         rates                      counts of requests, where a rate is limited
 *         reserve                    space for deletes on a full disk
 *         lock                       held while a server runs on this root
 *         stores.json                where stores beside this one lie (`storage.subPaths`)
 *         part_of.json               in such a store: of which registry it is
 *         token_key.json             signs the registry's own tokens; only the server's user may read it
 *         uploads/<id>.<owner>       bytes of open uploads
 *         finished/<id>              a second name of an upload whose bytes are in a store of objects by now
 *         temporary/<id>             files that do not have their name yet
 *         quarantine/                files kept for an operator to look at
 *         damaged/<digest>.<time>    content that is not what its name says, kept as well
 *
 * Keys are built from names that passed the grammar, so they cannot leave the root. The components `blobs`,
 * `index.json` and `oci-layout` are legal in a repository name, and would land inside the layout of the repository
 * above: on disk they carry a leading `_`, which no name can have.
 */
import { assert } from "../lib/assert.ts";
import { algorithmOf, digestOf, hexOf, type Digest } from "../oci/digest.ts";
import { isRepositoryName } from "../oci/reference.ts";

export const ownDirectory = "_zot";
export const metadataFile = `${ownDirectory}/metadata.db`;
export const epochsFile = `${ownDirectory}/epochs`;
export const reservedFile = `${ownDirectory}/reserved`;
export const ratesFile = `${ownDirectory}/rates`;
export const reserveFile = `${ownDirectory}/reserve`;
export const lockFile = `${ownDirectory}/lock`;
export const tokenKeyFile = `${ownDirectory}/token_key.json`;
/** Where stores beside the main one lie, in the main root. */
export const noteFile = `${ownDirectory}/stores.json`;
/** Of which registry a store beside the main one is, in its own root. */
export const markFile = `${ownDirectory}/part_of.json`;
export const uploadsDirectory = `${ownDirectory}/uploads`;
export const finishedDirectory = `${ownDirectory}/finished`;
export const temporaryDirectory = `${ownDirectory}/temporary`;
export const quarantineDirectory = `${ownDirectory}/quarantine`;
export const damagedDirectory = `${ownDirectory}/damaged`;

/** Components that mean something inside a layout. */
const layoutComponents = /\/(blobs|index\.json|oci-layout)(?=\/|$)/g;
const escapedComponents = /\/_(blobs|index\.json|oci-layout)(?=\/|$)/g;

export function repositoryKey(repository: string): string {
  return repository.includes("/") ? repository.replace(layoutComponents, "/_$1") : repository;
}

/** The repository that a directory stands for; null when it can be none of ours. */
export function repositoryOfKey(key: string): string | null {
  const repository = key.replace(escapedComponents, "/$1");
  return isRepositoryName(repository) && repositoryKey(repository) === key ? repository : null;
}

export function blobKey(repository: string, digest: Digest): string {
  return `${repositoryKey(repository)}/blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

export function blobsKey(repository: string, algorithm?: string): string {
  const blobs = `${repositoryKey(repository)}/blobs`;
  return algorithm === undefined ? blobs : `${blobs}/${algorithm}`;
}

export function indexKey(repository: string): string {
  return `${repositoryKey(repository)}/index.json`;
}

export function markerKey(repository: string): string {
  return `${repositoryKey(repository)}/oci-layout`;
}

/** What a file name may be long, less the date and the digest before it. */
const flatNameLengthMax = 180;

/** A key for a quarantined file: flat, dated, and never inside a layout. */
export function quarantineKey(key: string, at: number): string {
  assert(!key.includes(".."), "a key has no parent segments");
  const date = new Date(at).toISOString();
  const flat = key.replaceAll("/", "+");
  if (flat.length <= flatNameLengthMax) return `${quarantineDirectory}/${date}.${flat}`;
  const name = `${digestOfText(key).slice(0, 16)}.${flat.slice(-flatNameLengthMax)}`;
  return `${quarantineDirectory}/${date}.${name}`;
}

/** A key for damaged content in quarantine. */
export function damagedKey(name: string): string {
  assert(!name.includes("/"), "a name in quarantine is one component");
  return `${damagedDirectory}/${name}`;
}

function digestOfText(text: string): string {
  return hexOf(digestOf("sha256", new TextEncoder().encode(text)));
}
