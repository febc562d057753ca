/**
 * How long an image says that its tags are to last: `zot.expires-after: 7d`, an annotation of the manifest or a label
 * of the image's configuration, read when it is pushed.
 */
import { parseDuration } from "../../lib/duration.ts";
import { isJsonObject } from "../../lib/strict_json.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseDigest } from "../../oci/digest.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { recordCommit } from "../../metadata/records.ts";
import { retention } from "../../metadata/retention.ts";
import { readContent } from "../content.ts";
import type { Registry } from "../registry.ts";
import { policyOf } from "./rules.ts";

const expiryLabel = "zot.expires-after";
/** Larger configurations are not read for a label. */
const configBytesMax = 1024 * 1024;
const dayMs = 24 * 3_600_000;

/** Records what the manifest says, before it is committed, where the policy of its repository honours it. */
export async function recordExpiry(
  registry: Registry,
  repository: string,
  { digest, manifest }: { readonly digest: Digest; readonly manifest: Manifest },
): Promise<void> {
  if (!policyOf(registry.retention, repository).expiresByLabel) return;
  const text = await expiryText(registry, repository, manifest);
  if (text === null) return;
  const expiresAfterMs = parseExpiry(text);
  if (expiresAfterMs === null) {
    registry.report("warn", `a ${expiryLabel} of an image is no duration, and is passed over`, {
      repository,
      digest,
      expected: "such as 7d, 36h or 90m",
      got: text.slice(0, 64),
    });
    return;
  }
  await registry.metadata.commit(
    recordCommit(retention, { kind: "set-expiry", repository, digest, expiresAfterMs }),
  );
}

/** `7d`, `1d12h`, or any duration of the configuration; null for anything else, and for nothing. */
export function parseExpiry(text: string): number | null {
  const match = /^(?:(\d{1,6})d)?(.*)$/.exec(text.trim());
  const [, days, rest = ""] = match ?? [];
  if (days === undefined && rest === "") return null;
  const restMs = rest === "" ? 0 : parseDuration(rest);
  if (restMs === null || restMs < 0) return null;
  const ms = Number(days ?? 0) * dayMs + restMs;
  return ms > 0 ? Math.round(ms) : null;
}

async function expiryText(
  registry: Registry,
  repository: string,
  { annotations, references }: Manifest,
): Promise<string | null> {
  const annotation = annotations?.[expiryLabel];
  if (annotation !== undefined) return annotation;
  const config = references.find(({ role }) => role === "config")?.descriptor;
  const digest = config === undefined ? null : parseDigest(config.digest);
  if (config === undefined || digest === null || config.size > configBytesMax) return null;
  if (!config.mediaType.endsWith("json")) return null;
  const bytes = await readContent(registry, { repository, digest, sizeBytes: config.size });
  return labelIn(new TextDecoder().decode(bytes));
}

function labelIn(config: string): string | null {
  try {
    const value: unknown = JSON.parse(config);
    const inner = isJsonObject(value) ? value["config"] : null;
    const labels = isJsonObject(inner) ? inner["Labels"] : null;
    const label = isJsonObject(labels) ? labels[expiryLabel] : null;
    return typeof label === "string" ? label : null;
  } catch {
    return null;
  }
}
