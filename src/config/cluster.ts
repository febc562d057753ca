/**
 * `cluster` of zot's dialect, which lists servers that hand requests on to each other. Nothing here needs such a list; but
 * servers that have their content on disks of their own would each serve a part of it, and none would say so.
 */
import { isJsonObject } from "../lib/strict_json.ts";
import type { Config } from "./schema.ts";

/** `cluster` as it stands in the file. */
export function clusterProblems(
  cluster: unknown,
  { storageDriver, subPaths }: Pick<Config["storage"], "storageDriver" | "subPaths">,
): string[] {
  const members = membersOf(cluster);
  const stores = [{ storageDriver }, ...Object.values(subPaths)];
  if (members <= 1 || stores.every((store) => store.storageDriver !== null)) return [];
  return [
    `cluster.members: expected one server where content lies in a rootDirectory, got ${members}, which would ` +
      "each serve what was pushed to it; keep the content in a store of objects (storage.storageDriver) and the metadata in a database (storage.metadata.url), " +
      "or remove cluster",
  ];
}

/** How many servers it lists; keys are written in any case. */
function membersOf(cluster: unknown): number {
  if (!isJsonObject(cluster)) return 0;
  const key = Object.keys(cluster).find((each) => each.toLowerCase() === "members");
  const members = key === undefined ? null : cluster[key];
  return Array.isArray(members) ? members.length : 0;
}
