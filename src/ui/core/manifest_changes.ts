/** Deleting manifests by their digest, and bringing them back. */
import { request } from "./http.ts";
import { changed } from "./live.ts";

export async function deleteManifest(repository: string, digest: string): Promise<void> {
  await request(`v2/${repository}/manifests/${digest}`, { method: "DELETE" });
  changed();
}

/** Brings content back that was deleted, with what it names. */
export async function undelete(repository: string, digest: string): Promise<void> {
  await request(`v2/${repository}/_zot/undelete`, { method: "POST", json: { digest } });
  changed();
}
