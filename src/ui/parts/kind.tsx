/** What kind of thing something is, as a mark. */
import {
  artifactKindOf,
  genericKind,
  type ArtifactGroup,
  type ArtifactKind,
} from "../../oci/artifact_kinds.ts";
import { Chip } from "./basics.tsx";
import { Icon, type IconName } from "./icons.tsx";

const icons: Readonly<Record<ArtifactGroup, IconName>> = {
  image: "layers",
  package: "box",
  trust: "shield",
  document: "list",
  build: "clock",
  model: "box",
  policy: "key",
  other: "box",
};

export function KindChip({ kind }: { readonly kind: ArtifactKind }) {
  return (
    <Chip tone="accent">
      <Icon name={icons[kind.group]} /> {kind.label}
    </Chip>
  );
}

/** What an artifact of this type is, as search tells types; nothing for an image. */
export function TypeChip({ type }: { readonly type: string }) {
  if (type === "" || /\.image\.config\.v1\+json$|container\.image\.v1\+json$/.test(type))
    return null;
  const kind = artifactKindOf({
    kind: "image",
    artifactType: type,
    // It is the one or the other.
    configType: type,
    layerTypes: [],
    annotations: {},
  });
  const label =
    kind === genericKind ? type.replace(/^application\/(vnd\.)?/, "").slice(0, 28) : kind.label;
  return <Chip title={type}>{label}</Chip>;
}
