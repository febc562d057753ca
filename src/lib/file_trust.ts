/**
 * Who besides this server may have written a file: its owner, its group, or everybody.
 *
 * Root may write anything and is trusted, and so are this process's own groups where `fsGroup` of Kubernetes or a group
 * of administrators shares a volume; the caller decides what each finding is worth.
 */
import { statSync, type Stats } from "node:fs";

export type Distrust =
  | { readonly by: "owner"; readonly says: string }
  | { readonly by: "everybody"; readonly says: string }
  | { readonly by: "group"; readonly isOurs: boolean; readonly says: string };

/** Who this process is, as the file system tells of what it makes. */
export interface Self {
  readonly uid: number;
  readonly gids: readonly number[];
}

export function self(): Self {
  const gids = [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
  return { uid: process.geteuid?.() ?? 0, gids };
}

/** The worst that is wrong; null when nobody else may write. */
export function distrust(
  { uid, gid, mode }: Pick<Stats, "uid" | "gid" | "mode">,
  { uid: own, gids }: Self,
): Distrust | null {
  if (uid !== own && uid !== 0) return { by: "owner", says: `user ${uid} owns it` };
  const shown = (mode & 0o7777).toString(8);
  if ((mode & 0o002) !== 0) return { by: "everybody", says: `everybody may write it (${shown})` };
  if ((mode & 0o020) === 0) return null;
  const isOurs = gids.includes(gid);
  return { by: "group", isOurs, says: `group ${gid} may write it (${shown})` };
}

/** The same of the file at a path; null as well for one that is not there, which its reader tells of. */
export function distrustFile(path: string, me: Self): Distrust | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : distrust(stats, me);
}
