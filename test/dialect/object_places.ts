// The stores of objects that files in zot's dialect name, started once for all of them.

import { hasAzurite, startAzurite } from "../objects/azurite.ts";
import { hasGcsServer, startGcsServer } from "../objects/gcs_server.ts";
import { hasVersitygw, startVersitygw } from "../objects/versitygw.ts";
import type { ObjectPlace } from "./object_kinds.ts";

export const hasStore = {
  s3: hasVersitygw(),
  gcs: hasGcsServer(),
  azure: hasAzurite(),
} as const;

/** Those that are here. */
export async function startPlaces(): Promise<{ place: ObjectPlace } & AsyncDisposable> {
  const started = new AsyncDisposableStack();
  const s3 = hasStore.s3 ? started.use(await startVersitygw()) : null;
  const gcs = hasStore.gcs ? started.use(await startGcsServer()) : null;
  const azure = hasStore.azure ? started.use(await startAzurite()) : null;
  const place: ObjectPlace = {
    s3: {
      regionendpoint: s3?.url.replace("http://", "") ?? "",
      bucket: s3?.bucket ?? "",
      keys: { accesskey: s3?.accessKey, secretkey: s3?.secretKey },
    },
    gcs: {
      name: "gcs",
      bucket: gcs?.bucket,
      endpoint: gcs?.url,
      secure: false,
      credentialsFile: gcs?.keyFile,
    },
    azure: {
      name: "azure",
      accountname: azure?.account,
      accountkey: azure?.key,
      container: azure?.container,
      serviceurl: azure?.url,
      cafile: azure?.caFile,
      credentials: { type: "shared_key" },
    },
  };
  return { place, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
