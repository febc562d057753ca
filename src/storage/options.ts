// The options under `storage` that say where bytes lie and how safely they are written.
//
// What removes bytes again (`gc…`) stands in `registry/options.ts`, because it is a rule of the
// registry; a configuration file sees both tables as one section.

import { optionTable } from "../lib/option.ts";
import * as z from "zod";
import { count, duration, flag, pathOrNone } from "../lib/option_types.ts";
import { storageDriver } from "./driver_options.ts";

const agentsError = `a list of parts of user agents, such as ["regctl/"]`;

const agentParts = z
  .array(z.string({ error: agentsError }).regex(/^[\x20-\x7e]{1,100}$/, { error: agentsError }), {
    error: agentsError,
  })
  .transform((list): readonly string[] => list)
  .meta({ title: "list of texts" });

export const storageOptions = optionTable({
  rootDirectory: {
    type: pathOrNone,
    default: "",
    defaultSays: "`$XDG_DATA_HOME/zot`, else `~/.local/share/zot`",
    served: true,
    applies: "restart",
    says:
      "Directory that holds every repository as an OCI image layout, and the metadata. A relative path begins at the " +
      "directory that the server is started in; `zot verify` prints the whole path.",
  },
  dedupe: {
    type: flag,
    default: true,
    served: true,
    applies: "live",
    says: "Keep equal blobs of several repositories as one file (hard links).",
  },
  commit: {
    type: flag,
    default: true,
    served: true,
    applies: "restart",
    says:
      "Flush bytes and names to the disk before a push is acknowledged. " +
      "With false an acknowledged push may be lost when the machine stops.",
  },
  shared: {
    type: flag,
    default: false,
    served: true,
    applies: "restart",
    says: "Allow several servers to serve this root directory at once.",
  },
  storageDriver: {
    type: storageDriver.nullable().meta({ title: "store of objects" }),
    default: null,
    defaultSays: "files in `rootDirectory`",
    served: true,
    applies: "restart",
    says:
      "The store of objects that holds the content, such as `{name: s3, region: eu-central-1, bucket: images}`. " +
      "`rootDirectory` then holds the metadata, and uploads on their way.",
  },
  redirectBlobURL: {
    type: flag,
    default: false,
    served: true,
    applies: "restart",
    says:
      "Send clients that pull large blobs to the store of objects, by an address that is good for 20 minutes, instead " +
      "of passing the bytes through. `?redirect=0` asks for the bytes.",
  },
  redirectExcept: {
    type: agentParts,
    default: [],
    served: true,
    applies: "live",
    says:
      "Parts of `User-Agent`, in any case, whose clients are given the bytes though `redirectBlobURL` is true: those " +
      "that repeat their login to the store, or cannot reach it.",
  },
  removalDelay: {
    type: duration(60 * 60_000),
    default: "24h",
    served: true,
    applies: "live",
    says:
      "How long objects stay in a store of objects after nothing names them any more: longer than a pull takes, and " +
      "than the metadata may be put back. At least an hour.",
  },
  auditInterval: {
    type: duration(0),
    default: "168h",
    served: true,
    applies: "live",
    says:
      "How often a store of objects is compared with the metadata, page by page: content whose object is gone is marked " +
      "and told, and objects that nothing knows are told. `0s`: only when it is asked for (`zot audit run`).",
  },
  exportInterval: {
    type: duration(0),
    default: "24h",
    served: true,
    applies: "live",
    says:
      "How often the metadata are exported to the store of objects that has the content (`metadata/...`), so that " +
      "`zot restore` puts them back when they were lost. `0s`: only by `zot backup`.",
  },
  exportsKept: {
    type: count(1, 1_000),
    default: 7,
    served: true,
    applies: "live",
    says: "How many exports of the metadata are kept, the newest ones.",
  },
  uploadIdle: {
    type: duration(1),
    default: "24h",
    served: true,
    applies: "live",
    says: "An upload that received nothing for this long is dropped.",
  },
});
