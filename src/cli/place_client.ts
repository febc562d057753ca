// The client of a place that is in a registry: login, certificates and limits, as the command line gives them for its
// side.

import type { Credentials } from "../client/client_auth.ts";
import type { RegistryClientOptions } from "../client/registry_client.ts";
import type { PlaceName, RegistryPlaceName } from "../transfer/place_name.ts";
import type { Given } from "./command.ts";
import { dockerLogin } from "../client/docker_login.ts";
import { dockerLoginFiles } from "../client/docker_files.ts";
import { credentialsOf, limitsOf, Mistake, tlsOf } from "./registry_flags.ts";

const sideFlags = ["User", "Token", "Ca", "Cert", "Key", "Insecure"];

/** @throws Mistake, also for flags of a side that is no registry. */
export async function clientOf(
  given: Given,
  side: "from" | "to",
  place: PlaceName,
): Promise<Omit<RegistryClientOptions, "url">> {
  if (place.kind !== "registry") {
    const foreign = sideFlags.find((name) => given.options[side + name] !== undefined);
    if (foreign === undefined) return {};
    throw new Mistake(
      `expected --${side}-${foreign.toLowerCase()} with a registry, got it with '${place.path}'`,
    );
  }
  return {
    credentials: await loginOf(given, side, place),
    tls: await tlsOf(given, side),
    ...limitsOf(given),
  };
}

/** What the command line says, else what `docker login` or `podman login` keeps. */
async function loginOf(
  given: Given,
  side: "from" | "to",
  { server, repository }: RegistryPlaceName,
): Promise<Credentials> {
  const said = credentialsOf(given, side);
  if (said.kind !== "anonymous") return said;
  const host = server.replace(/^https?:\/\//i, "").toLowerCase();
  const files = dockerLoginFiles(process.env);
  return (await dockerLogin({ host, repository }, { files })) ?? said;
}
