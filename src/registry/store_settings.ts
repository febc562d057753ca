/**
 * What the configuration says of the store that a repository lies in: the settings of `storage`, or those of the entry of
 * `storage.subPaths` that has the first component of its name.
 */
import { componentOf } from "../storage/store_component.ts";
import type { RetentionValues } from "./retention/options.ts";

/** How one store is collected. */
export interface StoreCollection {
  readonly gc: boolean;
  readonly gcDelay: number;
  readonly gcInterval: number;
  /** Empty for none. */
  readonly gcTimeWindow: string;
  readonly retention: RetentionValues;
}

/** The settings of a main store, and those of the stores beside it by their keys, such as `/team`. */
export type WithStores<T> = T & { readonly subPaths?: Readonly<Record<string, T>> };

/** Those of the store that a repository lies in. */
export function settingsOf<T>(settings: WithStores<T>, repository: string): T {
  const key = keyOf(settings, repository);
  return key === null ? settings : (settings.subPaths?.[key] ?? settings);
}

/** The key of the store that a repository lies in; null for the main one. */
export function keyOf<T>({ subPaths = {} }: WithStores<T>, repository: string): string | null {
  const component = componentOf(repository);
  const key = component === null ? null : `/${component}`;
  return key !== null && Object.hasOwn(subPaths, key) ? key : null;
}

/** Those of the main store, then those of all others. */
export function everyStore<T>(settings: WithStores<T>): readonly T[] {
  return [settings, ...Object.values(settings.subPaths ?? {})];
}

/** Whether content of two repositories is kept once: they lie in one store, and that says so (`dedupe`). */
export function dedupesIn(
  settings: WithStores<{ readonly dedupe: boolean }>,
): (one: string, other: string) => boolean {
  return (one, other) => {
    const key = keyOf(settings, one);
    return key === keyOf(settings, other) && settingsOf(settings, one).dedupe;
  };
}

/** Where an entry stands in the file. */
export function subPathPlace(key: string): string {
  return `storage.subPaths[${JSON.stringify(key)}]`;
}
