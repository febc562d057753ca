/** The keys of `storage.storageDriver` for Azure Blob Storage. */
import * as z from "zod";
import { flag, pathOrNone } from "../lib/option_types.ts";
import {
  agent,
  endpoint,
  ignoredKeys,
  isPlain,
  nameError,
  oneOf,
  rootDirectory,
  type Rule,
  ruled,
  secretText,
  sectionError,
} from "./driver_keys.ts";

const noCopies = "nothing is copied within the store";
const ownRetries = "requests are tried again by rules of this server's own";

/** Keys that change nothing here, and why. */
export const azureWithoutEffect = {
  max_retries: ownRetries,
  retry_delay: ownRetries,
  copy_status_poll_max_retry: noCopies,
  copy_status_poll_delay: noCopies,
} as const;

const accountError = `the name of a storage account, such as "myaccount"`;
const containerError = `the name of a container, such as "images"`;
const azureCredentials = z.strictObject(
  {
    type: oneOf(["shared_key", "client_secret", "default_credentials"]),
    tenantid: secretText.default(null),
    clientid: secretText.default(null),
    secret: secretText.default(null),
  },
  { error: "a section with keys, such as {type: default_credentials}" },
);

const azureKeys = z.strictObject(
  {
    name: z.literal("azure", { error: nameError }),
    accountname: z
      .string({ error: accountError })
      .regex(/^[a-z0-9]{3,24}$/, { error: accountError }),
    accountkey: secretText.default(null),
    container: z
      .string({ error: containerError })
      .regex(/^(?:\$root|[a-z0-9](?:-?[a-z0-9]){2,62})$/, { error: containerError }),
    rootdirectory: rootDirectory.default(""),
    realm: endpoint.default(null),
    serviceurl: endpoint.default(null),
    redirectendpoint: endpoint.default(null),
    secure: flag.default(true),
    cafile: pathOrNone.default(null),
    useragent: agent.default(null),
    credentials: azureCredentials.optional(),
    ...ignoredKeys(azureWithoutEffect),
  },
  sectionError,
);

type AzureKeys = z.output<typeof azureKeys>;

const azureRules: readonly Rule<AzureKeys>[] = [
  {
    key: "accountkey",
    expected: "an account key in base64 where credentials ask for no other login",
    holds: ({ accountkey, credentials }) =>
      (credentials?.type ?? "shared_key") !== "shared_key" || isBase64(accountkey),
  },
  {
    key: "credentials",
    expected: "tenantid, clientid and secret for the type client_secret",
    holds: ({ credentials }) =>
      credentials?.type !== "client_secret" ||
      [credentials.tenantid, credentials.clientid, credentials.secret].every((it) => it !== null),
  },
  {
    key: "serviceurl",
    expected: `a URL with https, or "secure: false" beside it`,
    holds: ({ serviceurl, secure }) => !secure || !isPlain(serviceurl),
  },
  {
    key: "realm",
    expected: "realm or serviceurl, which names the host already",
    holds: ({ realm, serviceurl }) => realm === null || serviceurl === null,
  },
];

export const azure = azureKeys.superRefine(ruled(azureRules)).transform((values) => ({
  ...values,
  credentials: values.credentials ?? {
    type: "shared_key" as const,
    tenantid: null,
    clientid: null,
    secret: null,
  },
}));

function isBase64(value: string | null): boolean {
  return value !== null && /^[A-Za-z0-9+/]{16,200}={0,2}$/.test(value);
}
