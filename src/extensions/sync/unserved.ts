/** Keys of entries that are not served yet: each is refused by name, so that nothing that is written has no effect. */
import type { RegistryValues, SyncValues } from "./options.ts";

/** Whether an entry asks for it. */
const unserved: Readonly<Record<string, (entry: RegistryValues) => boolean>> = {
  // Rounds look at signatures and platforms; pulls do not.
  onlySigned: ({ onlySigned, onDemand }) => onlySigned && onDemand,
  platforms: ({ platforms, pollInterval }) => platforms.length > 0 && pollInterval === 0,
};

export function unservedProblems({ enable, registries }: SyncValues): string[] {
  if (!enable) return [];
  const says = "this choice for pulls is not served by this version yet; remove the key";
  return registries.flatMap((entry, index) => {
    const key = Object.keys(unserved).find((each) => unserved[each]?.(entry) === true);
    return key === undefined ? [] : [`extensions.sync.registries[${index}].${key}: ${says}`];
  });
}
