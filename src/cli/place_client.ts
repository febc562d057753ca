// The client of a place that is in a registry: login, certificates and limits, as the command line gives them for its
// side.

import type { RegistryClientOptions } from "../client/registry_client.ts";
import type { PlaceName } from "../transfer/place_name.ts";
import type { Given } from "./command.ts";
import { credentialsOf, limitsOf, Mistake, tlsOf } from "./registry_flags.ts";
import { loginFor } from "./transfer_failure.ts";

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
    credentials: await loginFor(credentialsOf(given, side), place),
    tls: await tlsOf(given, side),
    ...limitsOf(given),
  };
}
