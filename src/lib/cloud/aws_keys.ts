/**
 * The keys of this machine or process at AWS, where programs of AWS look for them: environment, web identity, shared
 * file, container, machine (IMDSv2).
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { readIfThere } from "../operator_files.ts";
import { isJsonObject, type JsonObject } from "../strict_json.ts";
import {
  askForObject,
  CloudLoginError,
  CloudLoginMissing,
  type CloudParts,
  jsonOf,
  memberOf,
  readLoginFile,
} from "./cloud_login.ts";

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Keys, and until when they can be used (milliseconds since 1970). */
export interface FoundAwsKeys {
  readonly keys: AwsKeys;
  readonly untilMs: number;
}

const aws = "AWS";
/** A machine outside of AWS has nobody there. */
const machineMs = 2_000;
/** Keys without an end are looked for again after so long. */
const lookAgainMs = 60 * 60_000;

/** The first source that has any. @throws CloudLoginError */
export async function findAwsKeys(region: string, parts: CloudParts): Promise<FoundAwsKeys> {
  const keys =
    fromEnvironment(parts) ??
    (await fromWebIdentity(region, parts)) ??
    fromFile(parts) ??
    (await fromContainer(parts)) ??
    (await fromMachine(parts));
  if (keys !== null) return keys;
  throw new CloudLoginMissing(
    aws,
    "no keys found: expected AWS_ACCESS_KEY_ID, a web identity, a credentials file, or the role of a container or machine",
  );
}

function fromEnvironment(parts: CloudParts): FoundAwsKeys | null {
  const { env } = parts;
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  return id && secret ? found({ id, secret, token }, parts) : null;
}

interface Secrets {
  readonly id: string;
  readonly secret: string;
  readonly token: string | undefined;
  /** As the source writes it; without it they are looked for again, since their file may have changed. */
  readonly until?: unknown;
}

function found({ id, secret, token, until }: Secrets, { clock }: CloudParts): FoundAwsKeys {
  const endMs = typeof until === "string" ? Date.parse(until) : Number.NaN;
  return {
    keys: { accessKeyId: id, secretAccessKey: secret, ...(token ? { sessionToken: token } : {}) },
    untilMs: Number.isNaN(endMs) ? clock.now() + lookAgainMs : endMs,
  };
}

async function fromWebIdentity(region: string, parts: CloudParts): Promise<FoundAwsKeys | null> {
  const { env } = parts;
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role } = env;
  if (!file || !role) return null;
  const endpoint = env["AWS_ENDPOINT_URL_STS"] ?? `https://sts.${region}.${domainOf(region)}`;
  const { status, text } = await parts.ask({
    method: "POST",
    url: `${endpoint}/`,
    body: {
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: role,
      RoleSessionName: env["AWS_ROLE_SESSION_NAME"] ?? "zot",
      WebIdentityToken: readLoginFile(file, aws),
    },
  });
  const value = (tag: string): string | undefined =>
    new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1];
  const [id, secret] = [value("AccessKeyId"), value("SecretAccessKey")];
  if (status === 200 && id !== undefined && secret !== undefined) {
    const [token, until] = [value("SessionToken"), value("Expiration")];
    return found({ id, secret, token, until }, parts);
  }
  const code = /<Code>(\w{1,80})<\/Code>/.exec(text)?.[1];
  throw new CloudLoginError(aws, `STS answered ${status}${code === undefined ? "" : ` (${code})`}`);
}

/** Domain of AWS in a region's partition. */
export function domainOf(region: string): string {
  return region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

/** Keys that stand in the file themselves; other ways to get some (SSO, processes) are programs of AWS. */
function fromFile(parts: CloudParts): FoundAwsKeys | null {
  const { env } = parts;
  const home = env["HOME"] ?? homedir();
  const path = env["AWS_SHARED_CREDENTIALS_FILE"] ?? join(home, ".aws", "credentials");
  const text = readOptional(path);
  if (text === null) return null;
  const wanted = env["AWS_PROFILE"] ?? "default";
  const values = new Map<string, string>();
  let section = "";
  for (const line of text.split(/\r?\n/)) {
    const head = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (head !== undefined) section = head;
    const [, name, value] = /^\s*(aws_\w+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (section === wanted && name !== undefined && value !== undefined) values.set(name, value);
  }
  const [id, secret] = [values.get("aws_access_key_id"), values.get("aws_secret_access_key")];
  return id === undefined || secret === undefined
    ? null
    : found({ id, secret, token: values.get("aws_session_token") }, parts);
}

async function fromContainer(parts: CloudParts): Promise<FoundAwsKeys | null> {
  const { env } = parts;
  const path = env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
  const url = path ? `http://169.254.170.2${path}` : env["AWS_CONTAINER_CREDENTIALS_FULL_URI"];
  if (!url) return null;
  const file = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
  const token = file ? readLoginFile(file, aws) : env["AWS_CONTAINER_AUTHORIZATION_TOKEN"];
  const answer = await askForObject(
    { method: "GET", url, isLocal: true, headers: token ? [["Authorization", token]] : [] },
    parts,
  );
  return keysIn(answer, "the container's endpoint", parts);
}

async function fromMachine(parts: CloudParts): Promise<FoundAwsKeys | null> {
  const { env } = parts;
  if (env["AWS_EC2_METADATA_DISABLED"] === "true") return null;
  const endpoint = env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254";
  const base = endpoint.replace(/\/+$/, "");
  const local = { isLocal: true, wholeMs: machineMs } as const;
  let token: string;
  try {
    const answer = await parts.ask({
      ...local,
      method: "PUT",
      url: `${base}/latest/api/token`,
      headers: [["X-aws-ec2-metadata-token-ttl-seconds", "300"]],
    });
    if (answer.status !== 200) return null;
    token = answer.text.trim();
  } catch {
    return null; // Nobody is there: this is no machine of AWS.
  }
  const headers = [["X-aws-ec2-metadata-token", token]] as const;
  const roles = `${base}/latest/meta-data/iam/security-credentials/`;
  const role = await parts.ask({ ...local, method: "GET", url: roles, headers });
  const name = role.text.trim().split("\n")[0] ?? "";
  if (role.status !== 200 || !/^[\w+=,.@-]+$/.test(name)) return null;
  const url = `${roles}${name}`;
  const answer = await parts.ask({ ...local, method: "GET", url, headers });
  const body = jsonOf(answer.text);
  if (isJsonObject(body)) return keysIn(body, "the machine's role", parts);
  throw new CloudLoginError(
    aws,
    `the metadata service answered ${answer.status} for the machine's role`,
  );
}

function keysIn(answer: JsonObject, host: string, parts: CloudParts): FoundAwsKeys {
  const id = memberOf(answer, "AccessKeyId", host);
  const secret = memberOf(answer, "SecretAccessKey", host);
  const { Token: token, Expiration: until } = answer;
  return found({ id, secret, token: typeof token === "string" ? token : undefined, until }, parts);
}

function readOptional(path: string): string | null {
  try {
    return readIfThere(path);
  } catch (error) {
    throw new CloudLoginError(aws, `${path} cannot be read`, error);
  }
}
