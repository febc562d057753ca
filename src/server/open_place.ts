/** Which place a configuration asks for: the one list of places for a server, its workers and its heavy work. */
import { CopiedRoot } from "./copied_root.ts";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import { DirectoryRoot } from "./directory_root.ts";
import { ObjectRoot } from "./object_root.ts";
import type { Root } from "./root.ts";

export function openPlace(config: Config, clock: Clock): Root {
  const { storageDriver } = config.storage;
  if (storageDriver !== null) return new ObjectRoot(config, storageDriver, clock);
  return new DirectoryRoot(config, clock);
}

/** The same for a dry run: what it changes is forgotten. */
export function openCopy(config: Config, clock: Clock): Root {
  return new CopiedRoot(config, clock);
}
