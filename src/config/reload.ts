// What a changed file changes: which options take effect at once, and which wait for the next start.
//
// Each option's row says which of the two it is. The plan holds a configuration that can be in force
// now: what is `live` as the new file has it, the rest as it runs. Values are shown for the log
// where a value is one word or number and no secret; of anything larger only the path is told.
// Reading the file, and putting the plan into force, is left to `cli/config_follower.ts`.

import { formatDuration } from "../lib/duration.ts";
import type { Option } from "../lib/option.ts";
import { isJsonObject } from "../lib/strict_json.ts";
import { checkTogether, type Config, type Sound } from "./load.ts";
import { placedOptions } from "./schema.ts";

/** A configuration, and the paths that its file set. */
export type Running = Pick<Sound, "config" | "written">;

/** One option whose value is another one now. */
export interface Change {
  readonly path: string;
  readonly applies: Option["applies"];
  /** Values, where they can be shown. */
  readonly from?: Shown;
  readonly to?: Shown;
}

type Shown = string | number | boolean | null;

export interface ReloadPlan {
  /** What is to be in force now. */
  readonly next: Running;
  /** Options that take effect now, and those that need a restart, in the order of the reference. */
  readonly live: readonly Change[];
  readonly restart: readonly Change[];
  /** Logins or access control are there and would be gone: as in a file of which only the first part is written. */
  readonly unguarded: boolean;
  /** Why the live options cannot be in force without those that need a restart; empty when they can. */
  readonly problems: readonly string[];
}

const guards = ["http.auth.", "http.accessControl."] as const;

function hasUnder(section: string, written: ReadonlySet<string>): boolean {
  return [...written].some((path) => path.startsWith(section));
}

/** Compares a configuration with the one that runs. Both must be sound. */
export function planReload(running: Running, found: Running): ReloadPlan {
  const changes = placedOptions().flatMap(({ path, option }) =>
    changeOf(path, option, running.config, found.config),
  );
  const live = changes.filter(({ applies }) => applies === "live");
  const partly = new Map(placedOptions().map(({ path, option }) => [path, option.inForce]));
  const restart = changes.filter(({ applies }) => applies === "restart");
  const next = {
    config: merged(running.config, found.config, live, partly),
    written: writtenNow(running.written, found.written),
  };
  const { problems } = checkTogether(next.config, next.written);
  const unguarded = guards.some(
    (guard) => hasUnder(guard, running.written) && !hasUnder(guard, found.written),
  );
  return { next, live, restart, unguarded, problems };
}

/** `http.readTimeout: 60s -> 30s`, for people and for the log. */
export function showChange({ path, from, to }: Change): string {
  return from === undefined || to === undefined ? path : `${path}: ${word(from)} -> ${word(to)}`;
}

function word(value: Shown): string {
  return value === null || value === "" ? "none" : String(value);
}

function changeOf(path: string, option: Option, running: Config, found: Config): Change[] {
  const [from, to] = [valueAt(running, path), valueAt(found, path)];
  if (Bun.deepEquals(from, to, true)) return [];
  const { applies, inForce } = option;
  if (inForce !== undefined) return changesInPart(path, inForce, from, to);
  const [shownFrom, shownTo] = [shown(option, from), shown(option, to)];
  if (shownFrom === undefined || shownTo === undefined) return [{ path, applies }];
  return [{ path, applies, from: shownFrom, to: shownTo }];
}

/** One that a reload changes in part is named for what changes now, for what waits, or for both. */
function changesInPart(
  path: string,
  inForce: NonNullable<Option["inForce"]>,
  from: unknown,
  to: unknown,
): Change[] {
  const now = inForce(from, to);
  const changes: Change[] = [];
  if (!Bun.deepEquals(from, now, true)) changes.push({ path, applies: "live" });
  if (!Bun.deepEquals(now, to, true)) changes.push({ path, applies: "restart" });
  return changes;
}

/** A value as a person would write it; undefined for what is not to be shown. */
function shown(option: Option, value: unknown): Shown | undefined {
  if (option.secret === true) return undefined;
  if (typeof value === "number") {
    return option.type.meta()?.title === "duration" ? formatDuration(value) : value;
  }
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  const isFlatList = Array.isArray(value) && value.every((each) => typeof each === "string");
  return isFlatList ? value.join(", ") : undefined;
}

function valueAt(config: Config, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((at, key) => (isJsonObject(at) ? Reflect.get(at, key) : undefined), config);
}

/** `running` with the values of `found` at the paths of the changes. Shares what neither changes. */
function merged(
  running: Config,
  found: Config,
  changes: readonly Change[],
  partly: ReadonlyMap<string, Option["inForce"]>,
): Config {
  let config: object = running;
  for (const { path } of changes) {
    const inForce = partly.get(path) ?? ((_: unknown, to: unknown) => to);
    const value: unknown = inForce(valueAt(running, path), valueAt(found, path));
    config = withValue(config, path.split("."), value);
  }
  return config as Config;
}

function withValue(at: unknown, keys: readonly string[], value: unknown): object {
  const [key = "", ...rest] = keys;
  const section = isJsonObject(at) ? at : {};
  const inner = rest.length === 0 ? value : withValue(section[key], rest, value);
  return Object.freeze({ ...section, [key]: inner });
}

/** As if one file had set what is in force. */
function writtenNow(running: ReadonlySet<string>, found: ReadonlySet<string>): Set<string> {
  const applies = new Map(placedOptions().map(({ path, option }) => [path, option.applies]));
  return new Set([
    ...[...running].filter((path) => applies.get(path) === "restart"),
    ...[...found].filter((path) => applies.get(path) !== "restart"),
  ]);
}
