/** Opens a bucket of S3 as the configuration says: where it is, whose keys, what every object gets. */
import { type AwsKeys, findAwsKeys } from "../../../lib/cloud/aws_keys.ts";
import { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { readFile } from "../../../lib/operator_files.ts";
import type { S3Values } from "../../driver_options.ts";
import { askByFetch } from "../ask_by_fetch.ts";
import { withScheme } from "../http/endpoint.ts";
import { requestsMaxOf, StoreRequests } from "../http/store_requests.ts";
import type { OpenParts } from "../open_parts.ts";
import { S3Dialect } from "./s3_dialect.ts";
import { S3Place } from "./s3_place.ts";
import { S3Store } from "./s3_store.ts";

/** Keys are fetched again so long before their end. */
const renewBeforeMs = 5 * 60_000;

/** @throws with one line for files that cannot be read. */
export function openS3(values: S3Values, { clock, env, report }: OpenParts): S3Store {
  const place = new S3Place(values);
  const dialect = new S3Dialect({
    place,
    region: values.region,
    keys: keysOf(values, { clock, env, report }),
    clock,
    userAgent: ["zot", values.useragent].filter((word) => word !== null).join(" "),
    redirectEndpoint:
      values.redirectendpoint === null ? null : withScheme(values.redirectendpoint, values.secure),
    report,
  });
  const requests = new StoreRequests({
    dialect,
    clock,
    ca: values.cafile === null ? null : readFile(values.cafile),
    verify: !values.skipverify,
    requestsMax: requestsMaxOf(env),
  });
  return new S3Store({
    dialect,
    requests,
    clock,
    prefix: place.prefix,
    partBytesMin: values.chunksize,
    headers: headersOf(values),
    report,
  });
}

function keysOf(values: S3Values, { clock, env }: OpenParts): KeptSecret<AwsKeys> {
  const { accesskey, secretkey, sessiontoken, region } = values;
  const fetchKeys = async () => {
    if (accesskey !== null && secretkey !== null) {
      const token = sessiontoken === null ? {} : { sessionToken: sessiontoken };
      const secret: AwsKeys = { accessKeyId: accesskey, secretAccessKey: secretkey, ...token };
      return { secret, untilMs: Number.POSITIVE_INFINITY };
    }
    const ask = (request: Parameters<typeof askByFetch>[0]) => askByFetch(request, clock);
    const { keys, untilMs } = await findAwsKeys(region, { clock, env, ask });
    return { secret: keys, untilMs };
  };
  return new KeptSecret(fetchKeys, { clock, renewBeforeMs });
}

function headersOf({ storageclass, encrypt, keyid, objectacl }: S3Values): Record<string, string> {
  const encryption = keyid === null ? "AES256" : "aws:kms";
  return {
    ...(storageclass === null ? {} : { "x-amz-storage-class": storageclass }),
    ...(encrypt ? { "x-amz-server-side-encryption": encryption } : {}),
    ...(encrypt && keyid !== null ? { "x-amz-server-side-encryption-aws-kms-key-id": keyid } : {}),
    ...(objectacl === null ? {} : { "x-amz-acl": objectacl }),
  };
}
