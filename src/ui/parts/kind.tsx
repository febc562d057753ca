/** What kind of thing something is, as a mark. */
import type { ArtifactGroup, ArtifactKind } from "../../oci/artifact_kinds.ts";
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
    <Chip tone={kind.group === "trust" ? "good" : "accent"}>
      <Icon name={icons[kind.group]} /> {kind.label}
    </Chip>
  );
}
