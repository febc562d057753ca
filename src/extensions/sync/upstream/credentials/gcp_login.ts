/**
 * Logins of registries at Google: an access token from the application's default credentials, which are a file
 * (service account, user, workload identity) or the metadata service of the machine.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { importPKCS8, SignJWT } from "jose";
import { isJsonObject, type JsonObject } from "../../../../lib/strict_json.ts";
import { accessTokenType, jwtBearerGrant, tokenExchangeGrant } from "../../oauth2_names.ts";
import { jsonOf } from "../answers.ts";
import { stampOf } from "../operator_files.ts";
import {
  askForJson,
  askForLogin,
  endOf,
  type Login,
  loginProblem,
  type LoginParts,
  readSecret,
  textIn,
} from "./login_parts.ts";

export const gcpRenewBeforeMs = 5 * 60_000;

const google = "Google";
const user = "oauth2accesstoken";
/** The narrowest that Artifact Registry takes; a mirror never writes there. */
const scope = "https://www.googleapis.com/auth/cloud-platform.read-only";
const googleTokens = "https://oauth2.googleapis.com/token";
const hourS = 3600;

/** @throws ClientError */
export async function fetchGcpLogin(parts: LoginParts): Promise<Login> {
  const file = credentialsFile(parts);
  const { token, untilMs } =
    file === null ? await fromMachine(parts) : await fromFile(file.content, file.path, parts);
  return { credentials: { kind: "password", user, password: token }, untilMs };
}

interface Token {
  readonly token: string;
  readonly untilMs: number;
}

function credentialsFile({ env }: LoginParts): { path: string; content: JsonObject } | null {
  const named = env["GOOGLE_APPLICATION_CREDENTIALS"] || null;
  const config = env["CLOUDSDK_CONFIG"] || join(env["HOME"] ?? homedir(), ".config", "gcloud");
  const path = named ?? join(config, "application_default_credentials.json");
  if (named === null && stampOf(path) === "") return null;
  const content = jsonOf(new TextEncoder().encode(readSecret(path, google)));
  if (isJsonObject(content)) return { path, content };
  throw loginProblem(google, `${path} is no JSON object`);
}

async function fromMachine(parts: LoginParts): Promise<Token> {
  const host = parts.env["GCE_METADATA_HOST"] ?? "metadata.google.internal";
  const path = "/computeMetadata/v1/instance/service-accounts/default/token";
  const url = `http://${host}${path}`;
  const headers = [["Metadata-Flavor", "Google"]] as const;
  return tokenIn(await askForJson({ method: "GET", url, headers, isLocal: true }, parts), parts);
}

function fromFile(content: JsonObject, path: string, parts: LoginParts): Promise<Token> {
  const type = content["type"];
  if (type === "service_account") return fromServiceAccount(content, path, parts);
  if (type === "authorized_user") return fromUser(content, path, parts);
  if (type === "external_account") return fromWorkload(content, path, parts);
  const known = "service_account, authorized_user or external_account";
  throw loginProblem(google, `expected credentials of the type ${known} in ${path}`);
}

async function fromServiceAccount(
  content: JsonObject,
  path: string,
  parts: LoginParts,
): Promise<Token> {
  const email = textIn(content, "client_email", path);
  const tokenUri = typeof content["token_uri"] === "string" ? content["token_uri"] : googleTokens;
  const privateKey = content["private_key"];
  const id = content["private_key_id"];
  let assertion: string;
  try {
    const key = await importPKCS8(String(privateKey), "RS256");
    const nowS = Math.floor(parts.clock.now() / 1000);
    assertion = await new SignJWT({ scope })
      .setProtectedHeader({ alg: "RS256", ...(typeof id === "string" ? { kid: id } : {}) })
      .setIssuer(email)
      .setAudience(tokenUri)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + hourS)
      .sign(key);
  } catch (error) {
    throw loginProblem(google, `the private key in ${path} cannot be used`, error);
  }
  const body = { grant_type: jwtBearerGrant, assertion };
  return tokenIn(await askForJson({ method: "POST", url: tokenUri, body }, parts), parts);
}

async function fromUser(content: JsonObject, path: string, parts: LoginParts): Promise<Token> {
  const tokenUri = typeof content["token_uri"] === "string" ? content["token_uri"] : googleTokens;
  const body = {
    grant_type: "refresh_token",
    client_id: textIn(content, "client_id", path),
    client_secret: textIn(content, "client_secret", path),
    refresh_token: textIn(content, "refresh_token", path),
  };
  return tokenIn(await askForJson({ method: "POST", url: tokenUri, body }, parts), parts);
}

async function fromWorkload(content: JsonObject, path: string, parts: LoginParts): Promise<Token> {
  const body = {
    grant_type: tokenExchangeGrant,
    audience: textIn(content, "audience", path),
    scope,
    requested_token_type: accessTokenType,
    subject_token_type: textIn(content, "subject_token_type", path),
    subject_token: await subjectToken(content["credential_source"], path, parts),
  };
  const url = textIn(content, "token_url", path);
  const token = tokenIn(await askForJson({ method: "POST", url, body }, parts), parts);
  const impersonated = content["service_account_impersonation_url"];
  if (typeof impersonated !== "string" || impersonated === "") return token;
  const answer = await askForJson(
    {
      method: "POST",
      url: impersonated,
      headers: [
        ["Authorization", `Bearer ${token.token}`],
        ["Content-Type", "application/json"],
      ],
      body: JSON.stringify({ scope: [scope], lifetime: `${hourS}s` }),
    },
    parts,
  );
  const endMs = Date.parse(String(answer["expireTime"]));
  return {
    token: textIn(answer, "accessToken", google),
    untilMs: Number.isNaN(endMs) ? parts.clock.now() + hourS * 1000 : endMs,
  };
}

/** From a file or a URL, as text or as a member of JSON. */
async function subjectToken(source: unknown, path: string, parts: LoginParts): Promise<string> {
  const { file, url, format, headers } = isJsonObject(source) ? source : {};
  let text: string;
  if (typeof file === "string") {
    text = readSecret(file, google);
  } else if (typeof url === "string") {
    const lines = isJsonObject(headers) ? Object.entries(headers) : [];
    const given = lines.map(([name, value]) => [name, String(value)] as const);
    const answer = await askForLogin({ method: "GET", url, headers: given }, parts);
    if (answer.status !== 200)
      throw loginProblem(google, `${path}: its URL answered ${answer.status}`);
    ({ text } = answer);
  } else {
    throw loginProblem(google, `expected credential_source with a file or a url in ${path}`);
  }
  const field = isJsonObject(format) && format["type"] === "json" ? format : null;
  if (field === null) return text.trim();
  const parsed = jsonOf(new TextEncoder().encode(text));
  const name = String(field["subject_token_field_name"]);
  return textIn(isJsonObject(parsed) ? parsed : {}, name, google);
}

function tokenIn(answer: JsonObject, { clock }: LoginParts): Token {
  return { token: textIn(answer, "access_token", google), untilMs: endOf(answer, clock, hourS) };
}
