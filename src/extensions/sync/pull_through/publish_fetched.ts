/** Makes verified bytes of a download a blob of the repository that they were fetched for. */
import { apiError } from "../../../oci/errors.ts";
import { nameBytes, type PlacedBytes } from "../../../registry/name_bytes.ts";
import type { Registry } from "../../../registry/registry.ts";
import type { HeldUpload } from "../../../storage/upload_store.ts";
import type { FetchedBlob } from "./fetched_blob.ts";

export async function publishFetched(
  registry: Registry,
  held: HeldUpload,
  { repository, digest }: Pick<FetchedBlob, "repository" | "digest">,
): Promise<void> {
  const place = async (): Promise<PlacedBytes> => {
    const unnamed = await held.finish(repository, digest, { mayBeUnnamed: true });
    const changes = [{ kind: "link-blob", digest, sizeBytes: held.sizeBytes } as const];
    // Nobody's pull fails for want of room: what is cached has limits of its own.
    const quotas = "counted";
    return { commit: { repository, preconditions: [], changes, by: null, quotas }, unnamed };
  };
  if (await nameBytes(registry, { digest, place })) return;
  throw apiError("UNAVAILABLE", { message: "The blob was swept while it was fetched; pull again" });
}
