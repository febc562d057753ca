/** What the shorthand `mirrors` makes of a registry: an entry as one of `registries`, with the defaults of a mirror. */
import type { RegistryValues } from "./options.ts";

const dayMs = 24 * 60 * 60_000;

/** Plain values, and not those of the schema: a worker does not load the library of types. */
export function shorthandValues(url: string, destination: string): RegistryValues {
  return {
    urls: [url],
    pollInterval: 0,
    content: [{ prefix: "**", destination, stripPrefix: false }],
    tlsVerify: true,
    onDemand: true,
    manifestCheckInterval: 60_000,
    certDir: null,
    onlySigned: false,
    syncLegacyCosignTags: true,
    credentialHelper: null,
    syncTimeout: 3 * 60 * 60_000,
    responseHeaderTimeout: 30_000,
    reqPerSec: 0,
    serveStale: true,
    listTags: "merge",
    allowPush: false,
    onDenied: "serve",
    onClientGone: "finish",
    propagateDeletes: false,
    relayUnknownBlobs: false,
    platforms: [],
    bytesPerSecond: 0,
    cache: { maxBytes: 0, unpulledFor: 30 * dayMs },
    proxy: null,
    caFile: null,
    allowRedirectHosts: [],
  };
}
