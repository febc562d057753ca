// Mutants of mounting blobs.

import {
  deletingEverywhere,
  header,
  instead,
  isMount,
  parameter,
  plain,
  rewriting,
  status,
  type Mutant,
} from "./tools.ts";

export const mountMutants: readonly Mutant[] = [
  {
    breaks: "mounts are not supported",
    names: "mount.sha256.named/mount",
    fault: rewriting(isMount, (q) => ({ ...q, query: "" })),
  },
  {
    breaks: "a mount is answered with 200",
    names: "mount.sha256.named/mount",
    fault: status(isMount, 200, [201]),
  },
  {
    breaks: "a mount gives no Location",
    names: "mount.sha256.named/mount",
    fault: header(isMount, "Location", null),
  },
  {
    breaks: "a mount only says that it was done",
    names: "mount.sha256.named/mount",
    fault: instead(isMount, (q) =>
      plain(201, "", [
        ["Location", `/v2/zot-compliance/first/blobs/${parameter(q, "mount") ?? ""}`],
      ]),
    ),
  },
  {
    breaks: "a mount without a source is refused",
    names: "mount.sha256.anonymous/mount",
    fault: instead(
      (q) => isMount(q) && !q.query.includes("from="),
      () => plain(400),
    ),
  },
  {
    breaks: "a mount of a missing blob is 201",
    names: "mount.sha256.missing/mount",
    fault: status(isMount, 201, [202]),
  },
  {
    breaks: "a mount of a missing blob is 404",
    names: "mount.sha256.missing/mount",
    fault: status(isMount, 404, [202]),
  },
  {
    breaks: "deleting a mounted blob takes the source along",
    names: "mount.sha256.named/source-stays",
    fault: () => deletingEverywhere(),
  },
  {
    breaks: "a mounted blob goes with its source",
    names: "mount.edge/source-deleted",
    fault: () => deletingEverywhere(),
  },
  {
    breaks: "a mount does not name the digest",
    names: "mount.edge/digest-header",
    fault: header(isMount, "Docker-Content-Digest", null),
  },
  {
    breaks: "a mount from an unknown repository is 404",
    names: "mount.edge/unknown-repository",
    fault: status((q) => isMount(q) && q.query.includes("never-"), 404, [202]),
  },
  {
    breaks: "unencoded parameters are not understood",
    names: "mount.edge/raw-parameters",
    fault: rewriting(
      (q) => isMount(q) && q.query.includes("from=zot-compliance/"),
      (q) => ({ ...q, query: "" }),
    ),
  },
];
