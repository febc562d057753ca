/** Whether an upstream has a blob in a repository, and how large it is. */
import type { Digest } from "../../../oci/digest.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import type { MirroredName } from "./mirror.ts";

/** Of the first upstream that says it; null where none has it, or can be asked. */
export async function upstreamSize(
  digest: Digest,
  sources: readonly MirroredName[],
): Promise<number | null> {
  for (const { mirror, name } of sources) {
    const size = await mirror.upstream.blobSize(name, digest).catch((error: unknown) => {
      if (error instanceof UpstreamTrouble) return null;
      throw error;
    });
    if (size !== null) return size;
  }
  return null;
}
