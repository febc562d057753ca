// The options under `storage` that say where bytes lie and how safely they are written.
//
// What removes bytes again (`gc…`) stands in `registry/options.ts`, because it is a rule of the
// registry; a configuration file sees both tables as one section.

import { optionTable } from "../lib/option.ts";
import { duration, flag, pathOrNone } from "../lib/option_types.ts";

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
  uploadIdle: {
    type: duration(1),
    default: "24h",
    served: true,
    applies: "live",
    says: "An upload that received nothing for this long is dropped.",
  },
});
