/**
 * Access tokens of Azure (Entra): of a service principal with its secret, of a workload with the token that its cluster
 * gave it, of a machine or service with a managed identity.
 */
import {
  askForObject,
  CloudLoginError,
  CloudLoginMissing,
  type CloudParts,
  endOf,
  memberOf,
  readLoginFile,
} from "./cloud_login.ts";

/** A service principal that a configuration names. */
export interface ServicePrincipal {
  readonly tenantId: string;
  readonly clientId: string;
  readonly secret: string;
}

export interface AzureParts extends CloudParts {
  /** What the token is for: `https://storage.azure.com`. */
  readonly resource: string;
  /** Null for where Azure's programs look: environment, workload identity, managed identity. */
  readonly principal: ServicePrincipal | null;
}

/** A token, and until when it can be used (milliseconds since 1970). */
export interface AzureToken {
  readonly token: string;
  readonly untilMs: number;
}

const azure = "Azure";
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const hourS = 3600;
/** A machine outside of Azure has nobody there. */
const machineMs = 2_000;

/** The first source that has one. @throws CloudLoginError */
export async function findAzureToken(parts: AzureParts): Promise<AzureToken> {
  const { env, principal } = parts;
  const {
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: secret,
    AZURE_FEDERATED_TOKEN_FILE: file,
  } = env;
  if (principal !== null) return await ofPrincipal(principal, parts);
  if (tenantId && clientId && secret)
    return await ofPrincipal({ tenantId, clientId, secret }, parts);
  if (tenantId && clientId && file) {
    const proof = {
      client_assertion_type: assertionType,
      client_assertion: readLoginFile(file, azure),
    };
    return await byGrant(tenantId, { client_id: clientId, ...proof }, parts);
  }
  return await ofManagedIdentity(parts);
}

async function ofPrincipal(
  { tenantId, clientId, secret }: ServicePrincipal,
  parts: AzureParts,
): Promise<AzureToken> {
  return await byGrant(tenantId, { client_id: clientId, client_secret: secret }, parts);
}

async function byGrant(
  tenant: string,
  proof: Readonly<Record<string, string>>,
  parts: AzureParts,
): Promise<AzureToken> {
  const authority = parts.env["AZURE_AUTHORITY_HOST"] || "https://login.microsoftonline.com";
  const url = `${authority.replace(/\/+$/, "")}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  const scope = `${parts.resource}/.default`;
  const body = { grant_type: "client_credentials", scope, ...proof };
  return tokenIn(await askForObject({ method: "POST", url, body }, parts), parts);
}

async function ofManagedIdentity(parts: AzureParts): Promise<AzureToken> {
  const { env, resource } = parts;
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret, AZURE_CLIENT_ID: client } = env;
  const who = client ? `&client_id=${encodeURIComponent(client)}` : "";
  const query = `resource=${encodeURIComponent(resource)}${who}`;
  if (endpoint && secret) {
    const url = `${endpoint}?api-version=2019-08-01&${query}`;
    const headers = [["X-IDENTITY-HEADER", secret]] as const;
    return tokenIn(
      await askForObject({ method: "GET", url, headers, isLocal: true }, parts),
      parts,
    );
  }
  const host = env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] || "http://169.254.169.254";
  const url = `${host}/metadata/identity/oauth2/token?api-version=2018-02-01&${query}`;
  const request = { method: "GET", url, isLocal: true, wholeMs: machineMs } as const;
  try {
    return tokenIn(
      await askForObject({ ...request, headers: [["Metadata", "true"]] }, parts),
      parts,
    );
  } catch (error) {
    if (!(error instanceof CloudLoginError)) throw error;
    throw new CloudLoginMissing(
      azure,
      "no login found: expected AZURE_CLIENT_SECRET, a workload identity, or the identity of a machine",
      error,
    );
  }
}

function tokenIn(answer: Parameters<typeof memberOf>[0], { clock }: AzureParts): AzureToken {
  const token = memberOf(answer, "access_token", azure);
  return { token, untilMs: endOf(answer, clock, hourS) };
}
