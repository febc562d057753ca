// Places that commands look at: what a person named, opened as content that can be inspected.
//
// A person names `[HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST]`, as with docker, where no host means the server of $ZOT_SERVER;
// or a place as `zot copy` takes it, such as `oci:DIRECTORY:NAME`.

import type { RegistryClientOptions } from "../client/registry_client.ts";
import { InspectError, type BlobName, type ImageContent } from "../inspect/image_content.ts";
import type { Platform } from "../oci/descriptor.ts";
import { parseDigest } from "../oci/digest.ts";
import { isPastName } from "../oci/past_name.ts";
import { parsePlatform } from "../oci/platform.ts";
import { subjectOfTag } from "../oci/referrers.ts";
import { BlobContent } from "../transfer/blob_content.ts";
import { TransferError, type ImageSource } from "../transfer/image_place.ts";
import { openSource } from "../transfer/open_place.ts";
import { labelOf, parsePlaceName, type PlaceName } from "../transfer/place_name.ts";
import type { Retries } from "../transfer/retries.ts";
import type { Given } from "./command.ts";
import { credentialsOf, limitsOf, Mistake, text, tlsOf } from "./registry_flags.ts";
import { parseTarget, serverGiven, wantsJson, type Target } from "./server_given.ts";
import { loginFor, userAgent } from "./transfer_failure.ts";

const schemes = /^(docker:\/\/|https?:\/\/|oci-archive:|oci:)/;
const loginFlags = ["user", "token", "ca", "cert", "key", "insecure"] as const;

/** Reads the name of a place. @throws Mistake. */
export function parseLookedAt(given: string): PlaceName {
  try {
    if (schemes.test(given)) return parsePlaceName(given);
    const { server, repository, reference } = targetOf(given);
    // Names of Docker Hub have rules of their own.
    if (server !== null) return parsePlaceName(`docker://${given}`);
    return { kind: "registry", server: serverGiven(null), repository, reference };
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    throw new Mistake(error.message, { cause: error });
  }
}

/** The past of a repository (`at.7d/team/app`) looks like a host, and is none. */
function targetOf(given: string): Target {
  if (!isPastName(given.replace(/[:@].*$/s, ""))) return parseTarget(given);
  return { ...parseTarget(`localhost/${given}`), server: null };
}

/** Logins and certificates of the command line, for the places that it names. @throws Mistake. */
export async function clientsOf(
  given: Given,
  places: readonly PlaceName[],
): Promise<(place: PlaceName) => Promise<Omit<RegistryClientOptions, "url">>> {
  const servers = new Set(
    places.flatMap((place) => (place.kind === "registry" ? place.server : [])),
  );
  const flag = loginFlags.find((name) => given.options[name] !== undefined);
  if (flag !== undefined && servers.size !== 1) {
    const got = servers.size === 0 ? "none" : [...servers].join(" and ");
    throw new Mistake(
      `expected one registry with --${flag}, got ${got}; of others, 'docker login' and 'podman login' are used`,
    );
  }
  const tls = await tlsOf(given);
  const said = credentialsOf(given);
  return async (place) => {
    if (place.kind !== "registry") return { userAgent };
    return { credentials: await loginFor(said, place), tls, userAgent, ...limitsOf(given) };
  };
}

/** Content of a source: what is read of a blob is proven by its digest. */
export function contentOf(source: ImageSource, retries: Retries): ImageContent {
  return {
    label: source.label,
    manifest: (reference) => source.manifest(reference),
    blob: async (name) => proven(name, source, retries),
    referrers: (digest) => source.referrers(digest),
  };
}

/** What is absent or wrong is so for whoever looks; trouble that passes is the place's. */
async function* proven(
  name: BlobName,
  source: ImageSource,
  retries: Retries,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* new BlobContent(name, { source, retries }).from(0);
  } catch (error) {
    if (!(error instanceof TransferError) || error.isPassing) throw error;
    throw new InspectError(error.message, { cause: error });
  }
}

/** Opens a place for the time of some work. */
export async function withPlace<T>(
  place: PlaceName,
  options: { readonly retries: Retries; readonly client: Omit<RegistryClientOptions, "url"> },
  work: (source: ImageSource) => Promise<T>,
): Promise<T> {
  const source = await openSource(place, options);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** The reference that was named, else `latest`, or the only image of a layout. @throws Mistake. */
export async function referenceOf(place: PlaceName, source: ImageSource): Promise<string> {
  if (place.reference !== null) return place.reference;
  if (place.kind === "registry") return "latest";
  const names = (await source.tags()).filter((name) => subjectOfTag(name) === null);
  const [only, ...more] = names;
  if (only !== undefined && more.length === 0) return only;
  const digest = names.length === 0 ? await source.only() : null;
  if (digest !== null) return digest;
  const known = names.slice(0, 10).join(", ");
  throw new Mistake(
    names.length === 0
      ? `expected the digest of an image behind ${labelOf(place)}@, got none, and it has several`
      : `expected the name of an image behind ${labelOf(place)}:; there are ${known}`,
  );
}

/** `docker://host/app` and `1.0` as one name. */
export function imageName(place: PlaceName, reference: string): string {
  return `${labelOf(place)}${parseDigest(reference) === null ? ":" : "@"}${reference}`;
}

/** What people run: images of this machine's kind first. */
export function usualPlatforms(): Platform[] {
  const here = process.arch === "x64" ? "amd64" : process.arch;
  return [...new Set([here, "amd64", "arm64"])].map((architecture) => ({
    os: "linux",
    architecture,
  }));
}

/** @throws Mistake. */
export function platformGiven(given: Given): Platform | null {
  const asked = text(given, "platform");
  if (asked === null) return null;
  const platform = parsePlatform(asked);
  if (platform !== null) return platform;
  throw new Mistake(`expected --platform as OS/ARCHITECTURE[/VARIANT], got '${asked}'`);
}

/** `--json`, or `--format json`. @throws Mistake. */
export function asksForJson(given: Given): boolean {
  return wantsJson(given) || given.options["json"] === true;
}
