// The options under `http`: where to listen, and the limits of a request.
//
// No limit here is a deadline for a whole transfer: `readTimeout` and `writeTimeout` bound silence,
// so a slow push that makes progress always ends. TLS, authentication and access control are known
// by name (`config/known_keys.ts`) and not served yet.

import { availableParallelism } from "node:os";
import { optionTable } from "../lib/option.ts";
import {
  bytes,
  commaList,
  count,
  duration,
  durationOrOff,
  listenAddress,
  listOf,
  port,
  text,
  urlOrNone,
} from "../lib/option_types.ts";

const workersDefaultMax = 4;

export const httpOptions = optionTable({
  address: {
    type: listenAddress,
    default: "127.0.0.1",
    served: true,
    says: "Address to listen on. `0.0.0.0` is every interface.",
  },
  port: {
    type: port,
    default: "8080",
    served: true,
    says: "Port to listen on, as a number or as text. `0` lets the kernel choose.",
  },
  workers: {
    type: count(1),
    default: Math.min(workersDefaultMax, availableParallelism()),
    defaultSays: `one per core, up to ${workersDefaultMax}`,
    served: true,
    says: "Number of processes that serve the port.",
  },
  allowOrigin: {
    type: commaList,
    default: "*",
    served: true,
    says: "Origins whose web pages may call the registry, with commas between them. `*` is any.",
  },
  realm: {
    type: text,
    default: "",
    served: true,
    says: "Realm that a challenge names.",
  },
  readTimeout: {
    type: durationOrOff,
    default: "60s",
    served: true,
    says: "A request whose body brings nothing for this long is cut. `0` is no limit.",
  },
  writeTimeout: {
    type: durationOrOff,
    default: "60s",
    served: true,
    says: "An answer of which nothing is taken for this long is cut. `0` is no limit.",
  },
  graceTimeout: {
    type: duration(0),
    default: "30s",
    served: true,
    says: "How long a stop waits for requests in flight before it cuts them.",
  },
  externalUrl: {
    type: urlOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    says: "URL under which clients reach the registry, when a proxy stands in front of it.",
  },
  compat: {
    type: listOf(["docker2s2"]),
    default: [],
    served: true,
    says: "Accepted for zot's sake: Docker manifests and lists are always served, byte for byte.",
  },
  blobBytesMax: {
    type: bytes(0),
    default: 0,
    defaultSays: "`0`, no limit",
    served: true,
    says: "Largest blob that is accepted, in bytes or as `10GiB`. `0` is no limit.",
  },
  manifestBytesMax: {
    type: bytes(1),
    default: "4MiB",
    served: true,
    says: "Largest manifest that is accepted, in bytes or as `4MiB`.",
  },
});
