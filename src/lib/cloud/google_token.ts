/**
 * Access tokens of Google by the application's default credentials, which are a file (service account, user, workload
 * identity) or the metadata service of the machine.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { importPKCS8, SignJWT } from "jose";
import { stampOf } from "../operator_files.ts";
import { isJsonObject, type JsonObject } from "../strict_json.ts";
import {
  askForObject,
  CloudLoginError,
  type CloudParts,
  endOf,
  jsonOf,
  memberOf,
  readLoginFile,
} from "./cloud_login.ts";
import { accessTokenType, jwtBearerGrant, tokenExchangeGrant } from "./oauth2_names.ts";

const google = "Google";
const googleTokens = "https://oauth2.googleapis.com/token";
const hourS = 3600;

/** What is asked for, and with what. */
export interface GoogleParts extends CloudParts {
  /** What the token is for, as a URL of Google's list of scopes. */
  readonly scope: string;
  /** A file of credentials; null for where Google's programs look for one. */
  readonly file: string | null;
}

/** @throws CloudLoginError */
export async function findGoogleToken(parts: GoogleParts): Promise<GoogleToken> {
  const file = credentialsFile(parts);
  return file === null ? fromMachine(parts) : fromFile(file.content, file.path, parts);
}

/** A token, and until when it can be used (milliseconds since 1970). */
export interface GoogleToken {
  readonly token: string;
  readonly untilMs: number;
}

function credentialsFile({ env, file }: GoogleParts): { path: string; content: JsonObject } | null {
  const named = file ?? (env["GOOGLE_APPLICATION_CREDENTIALS"] || null);
  const config = env["CLOUDSDK_CONFIG"] || join(env["HOME"] ?? homedir(), ".config", "gcloud");
  const path = named ?? join(config, "application_default_credentials.json");
  if (named === null && stampOf(path) === "") return null;
  const content = jsonOf(readLoginFile(path, google));
  if (isJsonObject(content)) return { path, content };
  throw new CloudLoginError(google, `${path} is no JSON object`);
}

async function fromMachine(parts: GoogleParts): Promise<GoogleToken> {
  const host = parts.env["GCE_METADATA_HOST"] ?? "metadata.google.internal";
  const path = "/computeMetadata/v1/instance/service-accounts/default/token";
  const url = `http://${host}${path}`;
  const headers = [["Metadata-Flavor", "Google"]] as const;
  return tokenIn(await askForObject({ method: "GET", url, headers, isLocal: true }, parts), parts);
}

function fromFile(content: JsonObject, path: string, parts: GoogleParts): Promise<GoogleToken> {
  const type = content["type"];
  if (type === "service_account") return fromServiceAccount(content, path, parts);
  if (type === "authorized_user") return fromUser(content, path, parts);
  if (type === "external_account") return fromWorkload(content, path, parts);
  const known = "service_account, authorized_user or external_account";
  throw new CloudLoginError(google, `expected credentials of the type ${known} in ${path}`);
}

async function fromServiceAccount(
  content: JsonObject,
  path: string,
  parts: GoogleParts,
): Promise<GoogleToken> {
  const email = memberOf(content, "client_email", path);
  const tokenUri = typeof content["token_uri"] === "string" ? content["token_uri"] : googleTokens;
  const privateKey = content["private_key"];
  const id = content["private_key_id"];
  let assertion: string;
  try {
    const key = await importPKCS8(String(privateKey), "RS256");
    const nowS = Math.floor(parts.clock.now() / 1000);
    assertion = await new SignJWT({ scope: parts.scope })
      .setProtectedHeader({ alg: "RS256", ...(typeof id === "string" ? { kid: id } : {}) })
      .setIssuer(email)
      .setAudience(tokenUri)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + hourS)
      .sign(key);
  } catch (error) {
    throw new CloudLoginError(google, `the private key in ${path} cannot be used`, error);
  }
  const body = { grant_type: jwtBearerGrant, assertion };
  return tokenIn(await askForObject({ method: "POST", url: tokenUri, body }, parts), parts);
}

async function fromUser(
  content: JsonObject,
  path: string,
  parts: GoogleParts,
): Promise<GoogleToken> {
  const tokenUri = typeof content["token_uri"] === "string" ? content["token_uri"] : googleTokens;
  const body = {
    grant_type: "refresh_token",
    client_id: memberOf(content, "client_id", path),
    client_secret: memberOf(content, "client_secret", path),
    refresh_token: memberOf(content, "refresh_token", path),
  };
  return tokenIn(await askForObject({ method: "POST", url: tokenUri, body }, parts), parts);
}

async function fromWorkload(
  content: JsonObject,
  path: string,
  parts: GoogleParts,
): Promise<GoogleToken> {
  const body = {
    grant_type: tokenExchangeGrant,
    audience: memberOf(content, "audience", path),
    scope: parts.scope,
    requested_token_type: accessTokenType,
    subject_token_type: memberOf(content, "subject_token_type", path),
    subject_token: await subjectToken(content["credential_source"], path, parts),
  };
  const url = memberOf(content, "token_url", path);
  const token = tokenIn(await askForObject({ method: "POST", url, body }, parts), parts);
  const impersonated = content["service_account_impersonation_url"];
  if (typeof impersonated !== "string" || impersonated === "") return token;
  const answer = await askForObject(
    {
      method: "POST",
      url: impersonated,
      headers: [
        ["Authorization", `Bearer ${token.token}`],
        ["Content-Type", "application/json"],
      ],
      body: JSON.stringify({ scope: [parts.scope], lifetime: `${hourS}s` }),
    },
    parts,
  );
  const endMs = Date.parse(String(answer["expireTime"]));
  return {
    token: memberOf(answer, "accessToken", google),
    untilMs: Number.isNaN(endMs) ? parts.clock.now() + hourS * 1000 : endMs,
  };
}

/** From a file or a URL, as text or as a member of JSON. */
async function subjectToken(source: unknown, path: string, parts: GoogleParts): Promise<string> {
  const { file, url, format, headers } = isJsonObject(source) ? source : {};
  let text: string;
  if (typeof file === "string") {
    text = readLoginFile(file, google);
  } else if (typeof url === "string") {
    const lines = isJsonObject(headers) ? Object.entries(headers) : [];
    const given = lines.map(([name, value]) => [name, String(value)] as const);
    const answer = await parts.ask({ method: "GET", url, headers: given });
    if (answer.status !== 200)
      throw new CloudLoginError(google, `${path}: its URL answered ${answer.status}`);
    ({ text } = answer);
  } else {
    throw new CloudLoginError(google, `expected credential_source with a file or a url in ${path}`);
  }
  const field = isJsonObject(format) && format["type"] === "json" ? format : null;
  if (field === null) return text.trim();
  const parsed = jsonOf(text);
  const name = String(field["subject_token_field_name"]);
  return memberOf(isJsonObject(parsed) ? parsed : {}, name, google);
}

function tokenIn(answer: JsonObject, { clock }: CloudParts): GoogleToken {
  return { token: memberOf(answer, "access_token", google), untilMs: endOf(answer, clock, hourS) };
}
