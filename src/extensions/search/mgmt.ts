/**
 * What clients may know of a registry before they log in (`/v2/_zot/ext/mgmt`): which logins it offers. Web interfaces
 * choose their form by it, and `zli status` shows it.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { Config } from "../../config/load.ts";
import { DIST_SPEC_VERSION } from "../../config/specification.ts";
import { programCommit } from "../../lib/program_commit.ts";

type Auth = Config["http"]["auth"];

/** `binaryType` names what is built in, with hyphens between. */
export function managementInfo({
  http: { auth },
  extensions,
}: Pick<Config, "http" | "extensions">): object {
  const built = Object.entries(extensions).flatMap(([name, { enable }]) => (enable ? name : []));
  return {
    distSpecVersion: DIST_SPEC_VERSION,
    commit: programCommit() ?? "",
    releaseTag: packageJson.version,
    binaryType: built.join("-"),
    http: { auth: loginsOf(auth) },
  };
}

/** Names and passwords are asked for in the same way whether a file or a directory knows them. */
function loginsOf({ htpasswd, ldap, bearer, apikey }: Auth): object {
  const takesPasswords = htpasswd.path !== null || ldap.address !== null;
  const { realm, service } = bearer;
  return {
    ...(takesPasswords ? { htpasswd: {} } : {}),
    ...(realm === null ? {} : { bearer: { realm, service: service ?? "" } }),
    ...(apikey ? { apikey: true } : {}),
  };
}
