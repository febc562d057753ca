/** Logins of private registries at AWS (ECR): a password for twelve hours, for the account and region in the host's name. */
import { AwsV4Signer } from "aws4fetch";
import type { HeaderLine } from "../../../../client/http_message.ts";
import { domainOf, findAwsKeys } from "../../../../lib/cloud/aws_keys.ts";
import {
  askForObject,
  CloudLoginError,
  type CloudParts,
  memberOf,
} from "../../../../lib/cloud/cloud_login.ts";
import { isJsonObject } from "../../../../lib/strict_json.ts";
import type { Login } from "./login_parts.ts";

/** One is fetched anew so long before its end, as in zot. */
export const ecrRenewBeforeMs = 60 * 60_000;

const hostPattern =
  /^(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z]{2}[a-z0-9-]+-\d)\.(?:amazonaws\.com(?:\.cn)?|on\.(?:aws|amazonwebservices\.com\.cn))$/;

/** @throws CloudLoginError */
export async function fetchEcrLogin(host: string, parts: CloudParts): Promise<Login> {
  const [, account, fips, region] = hostPattern.exec(host) ?? [];
  if (account === undefined || region === undefined) {
    throw new CloudLoginError(
      host,
      "expected <account>.dkr.ecr.<region>.amazonaws.com for the helper ecr",
    );
  }
  const name = fips === undefined ? "api.ecr" : "ecr-fips";
  const endpoint =
    parts.env["AWS_ENDPOINT_URL_ECR"] ??
    parts.env["AWS_ENDPOINT_URL"] ??
    `https://${name}.${region}.${domainOf(region)}`;
  const url = `${endpoint.replace(/\/+$/, "")}/`;
  const body = JSON.stringify({ registryIds: [account] });
  const signed = await new AwsV4Signer({
    method: "POST",
    url,
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    },
    body,
    service: "ecr",
    region,
    ...(await findAwsKeys(region, parts)).keys,
  }).sign();
  const headers: HeaderLine[] = [...signed.headers].filter(([line]) => line !== "host");
  const answer = await askForObject({ method: "POST", url, headers, body }, parts);
  const list = answer["authorizationData"];
  const data: unknown = Array.isArray(list) ? list[0] : null;
  if (!isJsonObject(data)) throw new CloudLoginError(host, "ECR answered without a login");
  const login = Buffer.from(memberOf(data, "authorizationToken", host), "base64").toString("utf8");
  const colon = login.indexOf(":");
  const untilS = Number(data["expiresAt"]);
  const half = 12 * 60 * 60_000;
  return {
    credentials: {
      kind: "password",
      user: login.slice(0, Math.max(0, colon)),
      password: login.slice(colon + 1),
    },
    untilMs: Number.isFinite(untilS) && untilS > 0 ? untilS * 1000 : parts.clock.now() + half,
  };
}
