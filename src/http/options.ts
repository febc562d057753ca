// The options under `http`: where to listen, and the limits of a request.
//
// No limit here is a deadline for a whole transfer: `readTimeout` and `writeTimeout` bound silence,
// so a slow push that makes progress always ends. Authentication and access control have options of
// their own (`auth/options.ts`).

import { availableParallelism } from "node:os";
import { MiB } from "../lib/bytes.ts";
import { optionTable, type OptionValues } from "../lib/option.ts";
import { baseUrlOrNone, listenAddress, origins } from "../lib/address_types.ts";
import {
  bytes,
  count,
  duration,
  durationOrOff,
  headerText,
  listOf,
  networks,
  pathOrNone,
  port,
} from "../lib/option_types.ts";
import { rateLimitOptions } from "./limit_options.ts";

const workersDefaultMax = 4;
/** More than any machine has use for: a worker is a process with connections and caches of its own. */
const workersMax = 256;
/** No larger manifest is kept in memory, or read in from a layout. */
const manifestBytesMax = 64 * MiB;

const tlsOptions = optionTable({
  cert: {
    type: pathOrNone,
    default: "",
    defaultSays: "none, plain HTTP",
    served: true,
    applies: "restart",
    says:
      "PEM file of the server's certificate, followed by the chain above it. Certificate, key and authorities are " +
      "read again when they change.",
  },
  key: {
    type: pathOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "restart",
    says: "PEM file of its private key, not encrypted.",
  },
  cacert: {
    type: pathOrNone,
    default: "",
    defaultSays: "none, clients are not asked",
    served: true,
    applies: "restart",
    says:
      "PEM file of the authorities whose client certificates are accepted. Without another method in `http.auth` " +
      "clients must show one.",
  },
});

const plainOptions = optionTable({
  address: {
    type: listenAddress,
    default: "127.0.0.1",
    served: true,
    applies: "restart",
    says: "Address to listen on. `0.0.0.0` is every interface.",
  },
  port: {
    type: port,
    default: "8080",
    served: true,
    applies: "restart",
    says: "Port to listen on, as a number or as text. `0` lets the kernel choose.",
  },
  workers: {
    type: count(1, workersMax),
    default: Math.min(workersDefaultMax, availableParallelism()),
    defaultSays: `one per core, up to ${workersDefaultMax}`,
    served: true,
    applies: "live",
    says: "Number of processes that serve the port.",
  },
  allowOrigin: {
    type: origins,
    default: "auto",
    defaultSays: "`*` where callers log in, else none",
    served: true,
    applies: "live",
    says:
      "Origins whose web pages may call the registry, with commas between them. `*` is any, for reading: pages write " +
      "only from origins that are named. `auto` is the default.",
  },
  realm: {
    type: headerText,
    default: "",
    served: true,
    applies: "live",
    says: "Realm that a challenge names.",
  },
  readTimeout: {
    type: durationOrOff,
    default: "60s",
    served: true,
    applies: "live",
    says: "A request is cut off when no bytes of its body arrive for this long. `0` is no limit.",
  },
  writeTimeout: {
    type: durationOrOff,
    default: "60s",
    served: true,
    applies: "live",
    says: "An answer is cut off when the client reads nothing for this long. `0` is no limit.",
  },
  graceTimeout: {
    type: duration(0),
    default: "30s",
    served: true,
    applies: "live",
    says: "How long a stop waits for requests in flight before it cuts them.",
  },
  externalUrl: {
    type: baseUrlOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says:
      "URL under which clients reach the registry, when a proxy stands in front of it. Answers to requests by its host " +
      "point there, also below a path of the proxy.",
  },
  trustedProxies: {
    type: networks,
    default: [],
    served: true,
    applies: "live",
    says:
      "Addresses and networks of proxies whose X-Forwarded-For is believed: for limits, policies and logs. Without " +
      "them all clients of a proxy are one.",
  },
  compat: {
    type: listOf(["docker2s2"]),
    default: [],
    served: true,
    applies: "live",
    says: "Accepted because files of zot (Go) have it: Docker manifests and lists are always served, byte for byte.",
  },
  blobBytesMax: {
    type: bytes(0),
    default: 0,
    defaultSays: "`0`, no limit",
    served: true,
    applies: "live",
    says: "Largest blob that is accepted, in bytes or as `10GiB`. `0` is no limit.",
  },
  connectionsMax: {
    type: count(0),
    default: 0,
    defaultSays: "`0`, as many as the limit of open files allows",
    served: true,
    applies: "live",
    says:
      "Connections at once, of all clients together. Beyond it new ones wait and kept ones are asked to close. " +
      "`0` is no limit but that of the process.",
  },
  manifestBytesMax: {
    type: bytes(1, manifestBytesMax),
    default: "4MiB",
    served: true,
    applies: "live",
    says: "Largest manifest that is accepted, in bytes or as `4MiB`.",
  },
});

/** Everything under `http` but for what `auth` brings. */
export const httpOptions = {
  ...plainOptions,
  ratelimit: rateLimitOptions,
  tls: tlsOptions,
} as const;

export type TlsValues = OptionValues<typeof tlsOptions>;

/** What the TLS options must fulfil together: one line per problem. The files are not opened here. */
export function checkTlsOptions({ cert, key, cacert }: TlsValues): string[] {
  if (cert !== null && key !== null) return [];
  if (cert !== null) return ["http.tls.key: expected the path of the certificate's key, got none"];
  if (key !== null) return ["http.tls.cert: expected the path of the key's certificate, got none"];
  if (cacert === null) return [];
  return ["http.tls.cacert: expected cert and key beside it, got none; clients cannot be asked"];
}
