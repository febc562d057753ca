/** Which place a configuration asks for: the one list of places for a server, its workers and its heavy work. */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import { DirectoryRoot } from "./directory_root.ts";
import type { Root } from "./root.ts";

export function openPlace(config: Config, clock: Clock): Root {
  return new DirectoryRoot(config, clock);
}
