/** Opens places by their names: as a source to read, or as a target to write. */
import { resolve } from "node:path";
import { RegistryClient, type RegistryClientOptions } from "../client/registry_client.ts";
import { sameOrigin } from "../client/registry_url.ts";
import { openArchive } from "./archive_files.ts";
import { standardPath } from "./archive_output.ts";
import { ArchiveTarget } from "./archive_target.ts";
import { TransferError, type ImageSource, type ImageTarget } from "./image_place.ts";
import { DirectoryFiles } from "./layout_files.ts";
import { openDirectoryTarget } from "./layout_directory_target.ts";
import { layoutVersion, openLayoutSource } from "./layout_source.ts";
import { nothingThere, onlyAsked } from "./nothing_there.ts";
import { labelOf, type PlaceName, type RegistryPlaceName } from "./place_name.ts";
import { requireReplaceable } from "./replaced_archive.ts";
import { RegistrySession } from "./registry_session.ts";
import { RegistrySource } from "./registry_source.ts";
import { RegistryTarget } from "./registry_target.ts";
import type { Retries } from "./retries.ts";

export interface PlaceOptions {
  readonly retries: Retries;
  /** Of the client, where the place is in a registry. */
  readonly client: Omit<RegistryClientOptions, "url">;
}

export async function openSource(place: PlaceName, options: PlaceOptions): Promise<ImageSource> {
  const label = labelOf(place);
  if (place.kind === "directory") return openLayoutSource(new DirectoryFiles(place.path, label));
  if (place.kind === "archive") return openLayoutSource(await openArchive(place.path, label));
  return new RegistrySource(sessionOf(place, options));
}

export interface TargetOptions extends PlaceOptions {
  /** Tells whether blobs can be mounted, and that nothing is written onto itself. */
  readonly source: PlaceName;
  readonly isDryRun: boolean;
  /** Of the images that go there, null for one without: an archive that has others is not replaced. */
  readonly names?: readonly (string | null)[];
}

export async function openTarget(place: PlaceName, options: TargetOptions): Promise<ImageTarget> {
  const target = await openWritten(place, options);
  return options.isDryRun ? onlyAsked(target) : target;
}

async function openWritten(place: PlaceName, options: TargetOptions): Promise<ImageTarget> {
  const label = labelOf(place);
  const { source, isDryRun, names = [] } = options;
  if (place.kind === "registry") {
    const session = sessionOf(place, options);
    return new RegistryTarget(session, { mountFrom: mountable(session.client, source, place) });
  }
  if (place.kind === "archive") {
    const isItself = source.kind === "archive" && resolve(source.path) === resolve(place.path);
    if (isItself && place.path !== standardPath)
      throw new TransferError(`${label}: an archive cannot be copied onto itself`);
    await requireReplaceable(place.path, label, names);
    if (isDryRun) return nothingThere(label);
    return new ArchiveTarget(place.path, { label, repository: loadedAs(source) });
  }
  if (isDryRun && (await layoutVersion(new DirectoryFiles(place.path, label))) === null) {
    return nothingThere(label);
  }
  return openDirectoryTarget(place.path, label);
}

function sessionOf(place: RegistryPlaceName, { client, retries }: PlaceOptions): RegistrySession {
  return new RegistrySession({
    client: new RegistryClient({ ...client, url: place.server }),
    repository: place.repository,
    retries,
    label: labelOf(place),
  });
}

/** The repository that has the blobs, when it is another one of the same registry. */
function mountable(
  client: RegistryClient,
  source: PlaceName,
  target: RegistryPlaceName,
): string | null {
  if (source.kind !== "registry" || source.repository === target.repository) return null;
  const other = new RegistryClient({ url: source.server }).exchanger;
  const own = client.exchanger;
  const isSame = sameOrigin(other.origin, own.origin) && other.prefix === own.prefix;
  return isSame ? source.repository : null;
}

/** What an image of a registry is called when an archive with it is loaded. */
function loadedAs(source: PlaceName): string | null {
  if (source.kind !== "registry") return null;
  return labelOf(source).replace(/^[a-z]+:\/\//, "");
}
