/** Answers HEAD of content: clients use it before a push, to learn what the registry still needs. */
import type { Call } from "../http/call.ts";
import type { Holding } from "../metadata/metadata.ts";
import { apiError } from "../oci/errors.ts";
import { DamagedContent, reportDamage, requireContent } from "../registry/content.ts";
import { keepFor } from "../registry/collection/keep_for.ts";
import type { App } from "./app.ts";

/**
 * What somebody who may push is told of is not collected before they have named it. Content that is damaged is not there for somebody who may push it: then they repair it.
 * @throws the API error `unknown` for them, DamagedContent for others.
 */
export async function requireHeld(
  call: Call,
  { registry }: App,
  content: Holding,
  unknown: "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN",
): Promise<void> {
  const { repository, caller } = call;
  const mayPush = caller.may("create", repository) || caller.may("update", repository);
  try {
    await requireContent(registry, content);
    const as = unknown === "BLOB_UNKNOWN" ? "blob" : "manifest";
    if (mayPush && !(await keepFor(registry, content, as))) {
      throw apiError(unknown, { detail: { digest: content.digest } });
    }
  } catch (error) {
    if (!(error instanceof DamagedContent) || !mayPush) throw error;
    reportDamage(registry, content, error);
    throw apiError(unknown, {
      message: "The content is known to this repository, and its bytes are damaged; push it again",
      detail: { digest: content.digest },
      cause: error,
    });
  }
}
