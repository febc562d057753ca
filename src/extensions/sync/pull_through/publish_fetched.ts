/** Makes verified bytes of a download a blob of the repository that they were fetched for. */
import type { Commit } from "../../../metadata/metadata.ts";
import { apiError } from "../../../oci/errors.ts";
import { nameBytes } from "../../../registry/name_bytes.ts";
import type { Registry } from "../../../registry/registry.ts";
import type { HeldUpload } from "../../../storage/upload_store.ts";
import type { FetchedBlob } from "./fetched_blob.ts";

export async function publishFetched(
  registry: Registry,
  held: HeldUpload,
  { repository, digest }: Pick<FetchedBlob, "repository" | "digest">,
): Promise<void> {
  const place = async (): Promise<Commit> => {
    await held.finish(repository, digest);
    const changes = [{ kind: "link-blob", digest, sizeBytes: held.sizeBytes } as const];
    // Nobody's pull fails for want of room: what is cached has limits of its own.
    return { repository, preconditions: [], changes, by: null, quotas: "counted" };
  };
  if (await nameBytes(registry, { digest, place })) return;
  throw apiError("UNAVAILABLE", { message: "The blob was swept while it was fetched; pull again" });
}
