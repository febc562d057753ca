/**
 * A repository of this registry, as it is or was, as content that can be looked at. No upstream is asked: what is here
 * is looked at. What is read is paid for by whoever asks.
 */
import { parsedBytesPerStep, type RequestBudget } from "../../lib/request_budget.ts";
import { InspectError, type ImageContent } from "../../inspect/image_content.ts";
import { parseReference } from "../../oci/reference.ts";
import type { OpenContent } from "../../storage/blob_store.ts";
import { openContent, readContent } from "../content.ts";
import { listReferrers } from "../lists.ts";
import type { Place } from "../origin.ts";
import type { Registry } from "../registry.ts";
import { absentError, resolveBlob, resolveManifest } from "../resolve.ts";

export function registryContent(
  registry: Registry,
  repository: string,
  budget: RequestBudget | null,
): ImageContent {
  const pay = (bytes: number): void => budget?.spend(1 + Math.ceil(bytes / parsedBytesPerStep));
  return {
    label: repository,
    manifest: async (text) => {
      const reference = parseReference(text);
      if (reference.kind === "invalid") return null;
      const resolved = await resolveManifest(registry, repository, reference);
      if (resolved.found === null) {
        if (resolved.why !== "being-read") return null;
        throw absentError(resolved.why, "MANIFEST_UNKNOWN", {});
      }
      const { found } = resolved;
      pay(found.sizeBytes);
      const { digest, mediaType } = found;
      return { digest, mediaType, bytes: await readContent(registry, found) };
    },
    blob: async ({ digest, sizeBytes }) => {
      const { found } = await resolveBlob(registry, repository, digest);
      if (found === null) return null;
      pay(sizeBytes);
      return bytesOf(await openContent(registry, found, null), digest);
    },
    referrers: async (digest) => {
      const place: Place = { repository, from: "own", hops: 0 };
      const { items } = await listReferrers({ ...registry, origin: null }, place, digest, {
        artifactTypes: [],
        last: null,
      });
      pay(items.length * parsedBytesPerStep);
      return items;
    },
  };
}

function bytesOf(content: OpenContent, digest: string): AsyncIterable<Uint8Array> {
  if (content.kind === "bytes") return once(content.bytes);
  if (content.kind === "blob") return content.blob.stream();
  if (content.kind === "stream") return content.stream;
  throw new InspectError(`${digest} lies elsewhere, and is not read here`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
