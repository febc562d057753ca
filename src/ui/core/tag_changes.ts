/** Deleting tags and setting them back. */
import { request } from "./http.ts";
import { changed } from "./live.ts";

export interface TagAt {
  readonly tag: string;
  /** Null where it is not known: then whatever the tag points at goes. */
  readonly digest: string | null;
}

export async function deleteTag(repository: string, { tag, digest }: TagAt): Promise<void> {
  await request(`v2/${repository}/manifests/${tag}`, {
    method: "DELETE",
    headers: digest === null ? {} : { "If-Match": `"${digest}"` },
  });
  changed();
}

/** Sets a tag to a digest, or removes it with null, if it points at `expect` now. */
export async function setTag(
  repository: string,
  tag: string,
  digest: string | null,
  expect: string | null,
): Promise<void> {
  await request(`v2/${repository}/_zot/tag-history/${tag}/restore`, {
    method: "POST",
    json: { digest, expect },
  });
  changed();
}
