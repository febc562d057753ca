/** Keys of entries that are not served yet: each is refused by name, so that nothing that is written has no effect. */
import type { RegistryValues, SyncValues } from "./options.ts";

/** Whether an entry asks for it. */
const unserved: Readonly<Record<string, (entry: RegistryValues) => boolean>> = {
  pollInterval: ({ pollInterval }) => pollInterval > 0,
  onlySigned: ({ onlySigned }) => onlySigned,
  platforms: ({ platforms }) => platforms.length > 0,
};

export function unservedProblems({ enable, registries }: SyncValues): string[] {
  if (!enable) return [];
  const says = "this kind of mirroring is not served by this version yet; remove the key";
  return registries.flatMap((entry, index) => {
    const key = Object.keys(unserved).find((each) => unserved[each]?.(entry) === true);
    return key === undefined ? [] : [`extensions.sync.registries[${index}].${key}: ${says}`];
  });
}
