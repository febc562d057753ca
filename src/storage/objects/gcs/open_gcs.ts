/** Opens a bucket of Google Cloud Storage as the configuration says: where it is, and by whose login. */
import { jsonOf } from "../../../lib/cloud/cloud_login.ts";
import { findGoogleToken } from "../../../lib/cloud/google_token.ts";
import { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { readFile } from "../../../lib/operator_files.ts";
import { isJsonObject } from "../../../lib/strict_json.ts";
import type { GcsValues } from "../../driver_options.ts";
import { askByFetch } from "../ask_by_fetch.ts";
import { prefixOf } from "../../driver_place.ts";
import { withScheme } from "../http/endpoint.ts";
import { StoreClock } from "../http/store_clock.ts";
import { requestsMaxOf, StoreRequests } from "../http/store_requests.ts";
import { keyInPath } from "../object_key.ts";
import type { SignedUrl } from "../object_store.ts";
import type { OpenParts } from "../open_parts.ts";
import { GcsDialect } from "./gcs_dialect.ts";
import { signedUrl, type SigningAccount } from "./gcs_signed_url.ts";
import { GcsStore } from "./gcs_store.ts";

const google = "https://storage.googleapis.com";
const scope = "https://www.googleapis.com/auth/devstorage.read_write";
/** Tokens are fetched again so long before their end. */
const renewBeforeMs = 5 * 60_000;

/** @throws with one line for files that cannot be read. */
export function openGcs(values: GcsValues, { clock, env, report }: OpenParts): GcsStore {
  const prefix = prefixOf(values.rootdirectory);
  const endpoint = values.endpoint === null ? google : withScheme(values.endpoint, values.secure);
  const ask = (request: Parameters<typeof askByFetch>[0]) => askByFetch(request, clock);
  const token = new KeptSecret(
    async () => {
      const parts = { clock, env, ask, scope, file: values.keyfile };
      const { token: secret, untilMs } = await findGoogleToken(parts);
      return { secret, untilMs };
    },
    { clock, renewBeforeMs },
  );
  const storeClock = new StoreClock(clock, report);
  const userAgent = ["zot", values.useragent].filter((word) => word !== null).join(" ");
  const { bucket } = values;
  const dialect = new GcsDialect({ endpoint, bucket, prefix, token, clock: storeClock, userAgent });
  const requests = new StoreRequests({
    dialect,
    clock,
    ca: values.cafile === null ? null : readFile(values.cafile),
    verify: true,
    requestsMax: requestsMaxOf(env),
  });
  const account = values.keyfile === null ? null : signingAccount(values.keyfile);
  const publicEndpoint =
    values.redirectendpoint === null
      ? endpoint
      : withScheme(values.redirectendpoint, values.secure);
  const sign = (key: string, how: SignedUrl, by: SigningAccount): string =>
    signedUrl(
      {
        ...how,
        url: `${publicEndpoint}/${bucket}/${keyInPath(`${prefix}${key}`)}`,
        nowMs: storeClock.now(),
      },
      by,
    );
  const signUrl =
    account === null ? null : (key: string, how: SignedUrl) => sign(key, how, account);
  return new GcsStore({ dialect, requests, clock, prefix, signUrl, report });
}

/** Null for credentials that have no key of their own. */
function signingAccount(path: string): SigningAccount | null {
  const content = jsonOf(readFile(path));
  if (!isJsonObject(content)) throw new Error(`${path}: expected a JSON object`);
  const { client_email: email, private_key: privateKey } = content;
  return typeof email === "string" && typeof privateKey === "string" ? { email, privateKey } : null;
}
