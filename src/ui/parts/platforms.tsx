/** The platforms of an image as short marks; many of them fold into a number. */
import type { Platform } from "../core/lists.ts";
import { Chip } from "./basics.tsx";

const shownMax = 3;

export function Platforms({ platforms }: { readonly platforms: readonly Platform[] }) {
  const names = [...new Set(platforms.map(({ os, architecture }) => `${os}/${architecture}`))];
  if (names.length === 0) return null;
  const rest = names.slice(shownMax);
  return (
    <span class="chips">
      {names.slice(0, shownMax).map((name) => (
        <Chip key={name}>{name.replace(/\/$/, "")}</Chip>
      ))}
      {rest.length > 0 && <Chip title={rest.join(", ")}>+{rest.length}</Chip>}
    </span>
  );
}
