// THE table of artifact kinds: how each is recognised, what is worth showing of it, and which clients take it.
//
// Pages, commands and documentation read it; it imports nothing else, so that a browser can, too. What no row fits is an
// image, an index of images, or "generic". A new kind is a row in `artifact_kinds/` and a fixture in the test.

import { attachedKinds } from "./artifact_kinds/attached_kinds.ts";
import { annotation, fileLines, pullLines } from "./artifact_kinds/artifact_kind.ts";
import type { ArtifactFacts, ArtifactKind, Recogniser } from "./artifact_kinds/artifact_kind.ts";
import { modelKinds } from "./artifact_kinds/model_kinds.ts";
import { packageKinds } from "./artifact_kinds/package_kinds.ts";

export type { ArtifactFacts, ArtifactGroup, ArtifactKind } from "./artifact_kinds/artifact_kind.ts";

/** What a container runtime runs. */
export const imageKind: ArtifactKind = {
  id: "image",
  label: "Image",
  group: "image",
  recognisedBy: [
    { configType: "application/vnd.oci.image.config.v1+json" },
    { configType: "application/vnd.docker.container.image.v1+json" },
  ],
  fields: [
    ["Created", `config:created|${annotation.created}`],
    ["Author", "config:author"],
    ["User", "config:config.User"],
    ["Entrypoint", "config:config.Entrypoint"],
    ["Command", "config:config.Cmd"],
    ["Directory", "config:config.WorkingDir"],
    ["Ports", "config:config.ExposedPorts"],
    ["Volumes", "config:config.Volumes"],
    ["Stop signal", "config:config.StopSignal"],
    ["Title", annotation.title],
    ["Version", annotation.version],
    ["Source", annotation.source],
    ["Revision", annotation.revision],
    ["Licenses", annotation.licenses],
  ],
  texts: [],
  commands: pullLines,
};

/** Images for several platforms, or a list of other manifests. */
export const indexKind: ArtifactKind = {
  id: "index",
  label: "Multi-platform image",
  group: "image",
  recognisedBy: [],
  fields: [
    ["Created", annotation.created],
    ["Title", annotation.title],
    ["Version", annotation.version],
    ["Description", annotation.description],
    ["Source", annotation.source],
    ["Revision", annotation.revision],
    ["Licenses", annotation.licenses],
  ],
  texts: [],
  commands: pullLines,
};

/** What no other row fits. */
export const genericKind: ArtifactKind = {
  id: "generic",
  label: "Artifact",
  group: "other",
  recognisedBy: [],
  fields: [
    ["Title", annotation.title],
    ["Description", annotation.description],
    ["Version", annotation.version],
    ["Source", annotation.source],
    ["Revision", annotation.revision],
    ["Created", annotation.created],
  ],
  texts: [],
  commands: fileLines,
};

/** The table. Where two rows fit equally well, the first counts. */
export const artifactKinds: readonly ArtifactKind[] = [
  ...attachedKinds,
  ...modelKinds,
  ...packageKinds,
  imageKind,
  indexKind,
  genericKind,
];

/** The strongest member of a recogniser, in order: what says most of a manifest comes first. */
const strengths = ["artifactType", "configType", "layerType", "annotation"] as const;
/** An image's config says less than what its layers or annotations are: models and tools borrow it. */
const recognised = artifactKinds.filter((kind) => kind !== imageKind);

/** The kind of a manifest: by its artifact type, else the type of its config, else of its layers, else annotations. */
export function artifactKindOf(facts: ArtifactFacts): ArtifactKind {
  for (const strength of strengths) {
    const found = recognised.find(({ recognisedBy }) =>
      recognisedBy.some((rule) => strengthOf(rule) === strength && fits(rule, facts)),
    );
    if (found !== undefined) return found;
  }
  if (facts.kind === "index") return facts.artifactType === null ? indexKind : genericKind;
  const own = facts.artifactType ?? facts.configType;
  const isImage =
    (own === null || own === facts.configType) &&
    imageKind.recognisedBy.some((rule) => fits(rule, facts));
  return isImage ? imageKind : genericKind;
}

/** The row of an id; null for an id that is none. */
export function artifactKindOfId(id: string): ArtifactKind | null {
  return artifactKinds.find((kind) => kind.id === id) ?? null;
}

function strengthOf(rule: Recogniser): (typeof strengths)[number] | undefined {
  return strengths.find((member) => rule[member] !== undefined);
}

function fits(rule: Recogniser, facts: ArtifactFacts): boolean {
  const { artifactType, configType, layerType, annotation: wanted } = rule;
  if (artifactType !== undefined && !fitsType(artifactType, facts.artifactType)) return false;
  if (configType !== undefined && !fitsType(configType, facts.configType)) return false;
  if (layerType !== undefined && !facts.layerTypes.some((type) => fitsType(layerType, type))) {
    return false;
  }
  if (wanted === undefined) return true;
  const [key, beginning] = wanted;
  return (
    Object.hasOwn(facts.annotations, key) && (facts.annotations[key] ?? "").startsWith(beginning)
  );
}

function fitsType(pattern: string, given: string | null): boolean {
  if (given === null) return false;
  const type = (given.split(";", 1)[0] ?? "").trim().toLowerCase();
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
