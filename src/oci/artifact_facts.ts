// What a manifest says of its kind, read from its JSON: for the table of artifact kinds, also in a browser.
//
// Manifests that were pushed have these types; others are read as far as they go.

import type { ArtifactFacts } from "./artifact_kinds/artifact_kind.ts";

type Members = Readonly<Record<string, unknown>>;

/** Keys that speak of the layer itself, such as the name of its file. */
const ofLayers = /^org\.opencontainers\.image\./;

/**
 * Facts of a parsed manifest. `named` are the annotations of the descriptor that names it; its own go before them, and
 * before those of its layers, of which some kinds keep theirs there.
 */
export function artifactFacts(
  document: unknown,
  named: Readonly<Record<string, string>> = {},
): ArtifactFacts {
  const manifest = members(document);
  const layers = list(manifest["layers"] ?? manifest["blobs"]).map(members);
  const annotations: Record<string, string> = {};
  for (const layer of layers) {
    for (const [key, value] of texts(layer["annotations"])) {
      if (!ofLayers.test(key)) annotations[key] ??= value;
    }
  }
  Object.assign(annotations, named, Object.fromEntries(texts(manifest["annotations"])));
  return {
    kind: Array.isArray(manifest["manifests"]) ? "index" : "image",
    artifactType: text(manifest["artifactType"]),
    configType: text(members(manifest["config"])["mediaType"]),
    layerTypes: [...new Set(layers.flatMap((layer) => text(layer["mediaType"]) ?? []))],
    annotations,
  };
}

function members(value: unknown): Members {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Members)
    : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function texts(value: unknown): [string, string][] {
  return Object.entries(members(value)).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && entry[0] !== "__proto__",
  );
}
