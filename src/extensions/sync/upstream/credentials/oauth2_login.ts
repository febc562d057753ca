/**
 * Logins by OAuth 2.0, as zot's helper `oauth2` has them: an assertion from a file, or one that is signed here, is
 * exchanged for an access token.
 */
import { createPrivateKey } from "node:crypto";
import { importPKCS8, SignJWT } from "jose";
import {
  askForObject,
  CloudLoginError,
  type CloudParts,
  endOf,
  jsonOf,
  memberOf,
  readLoginFile,
} from "../../../../lib/cloud/cloud_login.ts";
import {
  accessTokenType,
  jwtBearerGrant,
  jwtTokenType,
  tokenExchangeGrant,
} from "../../../../lib/cloud/oauth2_names.ts";
import { isJsonObject } from "../../../../lib/strict_json.ts";
import type { OAuth2Values } from "../../options.ts";
import type { Login } from "./login_parts.ts";

export const oauth2RenewBeforeMs = 60_000;

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/** What an answer without `expires_in` lasts, and an assertion that was signed here. */
const tokenS = 300;
const assertionS = 300;
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

/** @throws CloudLoginError */
export async function fetchOAuth2Login(values: OAuth2Values, parts: CloudParts): Promise<Login> {
  const assertion =
    values.signingFile === null
      ? readLoginFile(values.assertionFile ?? "")
      : await mintAssertion(values, parts);
  const body = formOf(values, assertion);
  const headers = [["Accept", "application/json"]] as const;
  const answer = await askForObject({ method: "POST", url: values.tokenURL, headers, body }, parts);
  const token = memberOf(answer, "access_token", new URL(values.tokenURL).host);
  const { username } = values;
  return {
    credentials:
      username === null || username === "<token>"
        ? { kind: "refreshToken", token }
        : { kind: "password", user: username, password: token },
    untilMs: endOf(answer, parts.clock, tokenS),
  };
}

function formOf(values: OAuth2Values, assertion: string): Record<string, string> {
  const grantType = values.grantType ?? "client_credentials";
  const form: Record<string, string> = { grant_type: grantType };
  if (grantType === jwtBearerGrant) form["assertion"] = assertion;
  else if (grantType === tokenExchangeGrant) {
    form["subject_token"] = assertion;
    form["subject_token_type"] = values.subjectTokenType ?? jwtTokenType;
    form["requested_token_type"] = values.requestedTokenType ?? accessTokenType;
    form["audience"] = values.audience ?? "";
  } else {
    form["client_assertion_type"] = assertionType;
    form["client_assertion"] = assertion;
  }
  if (values.clientID !== null) form["client_id"] = values.clientID;
  if (values.clientSecretFile !== null)
    form["client_secret"] = readLoginFile(values.clientSecretFile);
  if (values.scopes.length > 0) form["scope"] = values.scopes.join(" ");
  return form;
}

/** A token that proves who we are, used once. What it says stands in the signing file. */
async function mintAssertion(values: OAuth2Values, { clock }: CloudParts): Promise<string> {
  const path = values.signingFile ?? "";
  const content = jsonOf(readLoginFile(path));
  if (!isJsonObject(content)) throw new CloudLoginError(path, "expected a JSON object");
  const keyFile = memberOf(content, "privateKeyFile", path);
  const { algorithm: alg, keyId } = content;
  if (typeof alg !== "string" || !algorithms.includes(alg)) {
    throw new CloudLoginError(path, `expected algorithm to be one of ${algorithms.join(", ")}`);
  }
  const member = (name: string, otherwise: string): string => {
    const value = content[name];
    return typeof value === "string" && value !== "" ? value : otherwise;
  };
  const nowS = Math.floor(clock.now() / 1000);
  try {
    // Keys in the older formats of their kinds, too.
    const pem = createPrivateKey(readLoginFile(keyFile)).export({ format: "pem", type: "pkcs8" });
    const key = await importPKCS8(pem, alg);
    return await new SignJWT()
      .setProtectedHeader({
        alg,
        typ: "JWT",
        ...(typeof keyId === "string" && keyId !== "" ? { kid: keyId } : {}),
      })
      .setIssuer(member("issuer", values.clientID ?? ""))
      .setSubject(member("subject", values.clientID ?? ""))
      .setAudience(member("audience", values.tokenURL))
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + assertionS)
      .setJti(crypto.randomUUID())
      .sign(key);
  } catch (error) {
    throw new CloudLoginError(path, `the key in ${keyFile} cannot sign with ${alg}`, error);
  }
}
