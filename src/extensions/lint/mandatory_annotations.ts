/**
 * Annotations that a pushed manifest must have, or its image as labels. Indexes are not looked at: their images were
 * pushed before. What is about another manifest, such as a signature, needs none of them.
 */
import { MiB } from "../../lib/bytes.ts";
import { isJsonObject, parseStrictJson, type JsonObject } from "../../lib/strict_json.ts";
import { artifactFacts } from "../../oci/artifact_facts.ts";
import { artifactKindOf, type ArtifactGroup } from "../../oci/artifact_kinds.ts";
import { parseDigest } from "../../oci/digest.ts";
import { apiError } from "../../oci/errors.ts";
import type { Manifest } from "../../oci/manifest.ts";
import type { CheckedPush, PushCheck } from "../../registry/push_check.ts";
import { readContent } from "../../registry/content.ts";
import type { Registry, Report } from "../../registry/registry.ts";
import { resolveBlob } from "../../registry/resolve.ts";

/** Of a config that is read for its labels; a larger one counts as one without. */
export const configBytesMax = 4 * MiB;
const depthMax = 64;
/** What is said about an image, or helps to build one. */
const passedOver: ReadonlySet<ArtifactGroup> = new Set(["trust", "document", "build"]);

export interface LintRules {
  readonly mandatoryAnnotations: readonly string[];
  readonly mode: "enforce" | "warn";
  /** Empty for all but those that are passed over. */
  readonly kinds: readonly string[];
}

export function mandatoryAnnotationsCheck(
  registry: Registry,
  rules: LintRules,
  report: Report,
): PushCheck {
  return async (pushed) => {
    const missing = await missingIn(registry, pushed, rules);
    if (missing.length === 0) return;
    const { repository, tags, digest } = pushed;
    const names = missing.join(", ");
    if (rules.mode === "warn") {
      const fields = { repository, tags, digest, missingAnnotations: missing };
      report("warn", "a manifest lacks annotations that extensions.lint asks for", fields);
      return;
    }
    const config = configOf(pushed.manifest);
    throw apiError("MANIFEST_INVALID", {
      message: `The manifest lacks annotations that this registry asks for: ${names}; set them on it, or as labels of its image`,
      // The text of zot, for whoever reads it.
      detail: {
        missingAnnotations: `linter: manifest ${digest} or config ${config ?? "none"} is missing the next annotations: [${missing.join(" ")}]`,
      },
    });
  };
}

async function missingIn(
  registry: Registry,
  pushed: CheckedPush,
  { mandatoryAnnotations, kinds }: LintRules,
): Promise<readonly string[]> {
  const { manifest, bytes } = pushed;
  if (manifest.kind === "index") return [];
  const lacks = (values: JsonObject): string[] =>
    mandatoryAnnotations.filter((key) => !Object.hasOwn(values, key));
  const missing = lacks(manifest.annotations ?? {});
  if (missing.length === 0 || !isMeant(manifest, bytes, kinds)) return [];
  const labels = await labelsOf(registry, pushed);
  return missing.filter((key) => !Object.hasOwn(labels, key));
}

function isMeant({ subject }: Manifest, bytes: Uint8Array, kinds: readonly string[]): boolean {
  const { id, group } = artifactKindOf(artifactFacts(objectIn(bytes)));
  if (kinds.length > 0) return kinds.includes(id);
  return subject === null && !passedOver.has(group);
}

/** The config was pushed before: it is here. */
async function labelsOf(
  registry: Registry,
  { repository, manifest }: CheckedPush,
): Promise<JsonObject> {
  const digest = parseDigest(configOf(manifest) ?? "");
  if (digest === null) return {};
  const { found } = await resolveBlob(registry, repository, digest);
  if (found === null || found.sizeBytes > configBytesMax) return {};
  const config = objectIn(await readContent(registry, found))["config"];
  const labels = isJsonObject(config) ? config["Labels"] : null;
  return isJsonObject(labels) ? labels : {};
}

function configOf({ references }: Manifest): string | null {
  return references.find(({ role }) => role === "config")?.descriptor.digest ?? null;
}

function objectIn(bytes: Uint8Array): JsonObject {
  const parsed = parseStrictJson(bytes, { depthMax });
  return "value" in parsed && isJsonObject(parsed.value) ? parsed.value : {};
}
