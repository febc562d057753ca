// Where Docker and Podman keep the logins of this person.

import { homedir } from "node:os";
import { join } from "node:path";

/** In the order in which they count: what a variable names stands alone. */
export function dockerLoginFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  const { REGISTRY_AUTH_FILE: named, DOCKER_CONFIG: docker, XDG_RUNTIME_DIR: runtime } = env;
  if (named !== undefined && named !== "") return [named];
  if (docker !== undefined && docker !== "") return [join(docker, "config.json")];
  const home = env["HOME"] ?? homedir();
  return [
    ...(runtime === undefined || runtime === "" ? [] : [join(runtime, "containers", "auth.json")]),
    join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "containers", "auth.json"),
    join(home, ".docker", "config.json"),
  ];
}
