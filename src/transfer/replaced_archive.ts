/**
 * Whether an archive may take the place of a file: what is there is replaced as a whole, so images in it that have no new
 * version would be lost, and so would a file that is none of ours.
 */
import { subjectOfTag } from "../oci/referrers.ts";
import { openArchive } from "./archive_files.ts";
import { standardPath } from "./archive_output.ts";
import { TransferError } from "./image_place.ts";
import { fileError } from "./layout_files.ts";
import { openLayoutSource } from "./layout_source.ts";
import { lstat } from "node:fs/promises";

/** Names of lost images that a message tells. */
const toldMax = 5;

/** `names`: of the images that go into the new one, null for one without a name. @throws TransferError. */
export async function requireReplaceable(
  path: string,
  label: string,
  names: readonly (string | null)[],
): Promise<void> {
  if (path === standardPath || !(await isThere(path))) return;
  const found = await imagesIn(path, label);
  const lost = found.filter((name) => !names.includes(name));
  if (lost.length === 0) return;
  const told = lost.slice(0, toldMax).map((name) => name ?? "one without a name");
  const more = lost.length > toldMax ? " and others" : "";
  throw new TransferError(
    `${label}: the archive there has other images (${told.join(", ")}${more}), which would be lost; name another file, or remove it`,
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT") return false;
    throw fileError(path, error);
  }
}

/** Tags that are about an image go with it. */
async function imagesIn(path: string, label: string): Promise<readonly (string | null)[]> {
  try {
    const source = await openLayoutSource(await openArchive(path, label));
    try {
      const tags = await source.tags();
      return tags.length === 0 ? [null] : tags.filter((tag) => subjectOfTag(tag) === null);
    } finally {
      await source.close();
    }
  } catch (cause) {
    if (!(cause instanceof TransferError)) throw cause;
    throw new TransferError(
      `${label}: the file there is no archive of images; name another file, or remove it`,
      { cause },
    );
  }
}
