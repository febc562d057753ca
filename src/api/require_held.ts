/** Answers HEAD of content: clients use it before a push, to learn what the registry still needs. */
import type { Call } from "../http/call.ts";
import type { Holding } from "../metadata/metadata.ts";
import { apiError } from "../oci/errors.ts";
import { isPastName } from "../oci/past_name.ts";
import { DamagedContent, reportDamage, requireContent } from "../registry/content.ts";
import { isKept, keepFor } from "../registry/collection/keep_for.ts";
import type { App } from "./app.ts";

interface Asked {
  /** The name that was read, which may be one of the past. */
  readonly asked: string;
  readonly unknown: "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN";
}

/**
 * What somebody who may push is told of is not collected before they have named it. Content that is damaged is not there
 * for them: then they repair it. Nobody pushes to a name of the past.
 * Null where all of that was found out just before, which costs no promise.
 * @throws the API error `unknown` for them, DamagedContent for others.
 */
export function requireHeld(
  call: Call,
  app: App,
  content: Holding,
  { asked, unknown }: Asked,
): Promise<void> | null {
  const { repository, caller } = call;
  const { registry } = app;
  const mayPush =
    !isPastName(asked) && (caller.may("create", repository) || caller.may("update", repository));
  const nowMs = registry.clock.monotonicMs();
  // A check may have found damage since it was seen.
  const wasSeen =
    content.damagedSince === undefined && registry.contentCache.wasSeen(content, nowMs);
  if (wasSeen && (!mayPush || isKept(registry, content, nowMs))) return null;
  return findOut(app, content, { mayPush, unknown });
}

async function findOut(
  { registry }: App,
  content: Holding,
  asked: { readonly mayPush: boolean; readonly unknown: "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN" },
): Promise<void> {
  const { mayPush, unknown } = asked;
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
