/** Opens a container of Azure Blob Storage as the configuration says: where it is, and by whose login. */
import {
  type AzureParts,
  findAzureToken,
  type ServicePrincipal,
} from "../../../lib/cloud/azure_token.ts";
import { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { readFile } from "../../../lib/operator_files.ts";
import type { AzureValues } from "../../driver_options.ts";
import { askByFetch } from "../ask_by_fetch.ts";
import { prefixOf } from "../../driver_place.ts";
import { withScheme } from "../http/endpoint.ts";
import { StoreClock } from "../http/store_clock.ts";
import { requestsMaxOf, StoreRequests } from "../http/store_requests.ts";
import type { OpenParts } from "../open_parts.ts";
import { AzureDialect } from "./azure_dialect.ts";
import { AzureStore } from "./azure_store.ts";
import type { AccountKey } from "./shared_key.ts";

const publicRealm = "core.windows.net";
const resource = "https://storage.azure.com";
/** Tokens are fetched again so long before their end. */
const renewBeforeMs = 5 * 60_000;

/** @throws with one line for files that cannot be read. */
export function openAzure(values: AzureValues, parts: OpenParts): AzureStore {
  const { clock, env, report } = parts;
  const prefix = prefixOf(values.rootdirectory);
  const dialect = new AzureDialect({
    endpoint: endpointOf(values),
    redirectEndpoint:
      values.redirectendpoint === null ? null : withScheme(values.redirectendpoint, values.secure),
    container: values.container,
    prefix,
    login: loginFrom(values, parts),
    clock: new StoreClock(clock, report),
    userAgent: ["zot", values.useragent].filter((word) => word !== null).join(" "),
  });
  const requests = new StoreRequests({
    dialect,
    clock,
    ca: values.cafile === null ? null : readFile(values.cafile),
    verify: true,
    requestsMax: requestsMaxOf(env),
  });
  return new AzureStore({ dialect, requests, clock, prefix });
}

function endpointOf({ serviceurl, accountname, realm, secure }: AzureValues): string {
  return withScheme(serviceurl ?? `${accountname}.blob.${realm ?? publicRealm}`, secure);
}

function loginFrom(
  values: AzureValues,
  { clock, env }: OpenParts,
): AccountKey | KeptSecret<string> {
  const { accountname, accountkey, credentials } = values;
  if (credentials.type === "shared_key") return { account: accountname, key: accountkey ?? "" };
  const ask: AzureParts["ask"] = (request) => askByFetch(request, clock);
  const principal = principalIn(credentials);
  return new KeptSecret(
    async () => {
      const found = await findAzureToken({ clock, env, ask, resource, principal });
      return { secret: found.token, untilMs: found.untilMs };
    },
    { clock, renewBeforeMs },
  );
}

function principalIn({
  type,
  tenantid,
  clientid,
  secret,
}: AzureValues["credentials"]): ServicePrincipal | null {
  if (type !== "client_secret") return null;
  return { tenantId: tenantid ?? "", clientId: clientid ?? "", secret: secret ?? "" };
}
