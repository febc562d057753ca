/** Logins of registries at Google: an access token as the password of a user that has one name for everybody. */
import type { CloudParts } from "../../../../lib/cloud/cloud_login.ts";
import { findGoogleToken } from "../../../../lib/cloud/google_token.ts";
import type { Login } from "./login_parts.ts";

export const gcpRenewBeforeMs = 5 * 60_000;

const user = "oauth2accesstoken";
/** The narrowest that Artifact Registry takes; a mirror never writes there. */
const scope = "https://www.googleapis.com/auth/cloud-platform.read-only";

/** @throws CloudLoginError */
export async function fetchGcpLogin(parts: CloudParts): Promise<Login> {
  const { token, untilMs } = await findGoogleToken({ ...parts, scope, file: null });
  return { credentials: { kind: "password", user, password: token }, untilMs };
}
