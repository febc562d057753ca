// What `zot help` says of the commands that look at registries, layouts and archives.

import type { HelpPage } from "./command.ts";

const lookedStatus: HelpPage["exitStatus"] = [
  [0, "Shown."],
  [1, "Not there, or it cannot be read; the reason is on standard error."],
  [2, "A mistake on the command line."],
];
const lookedEnvironment: HelpPage["environment"] = [
  ["ZOT_SERVER", "The registry, where no host is named (default: http://127.0.0.1:8080)."],
  ["ZOT_PASSWORD", "Password for --user with a name only."],
  ["ZOT_TOKEN", "Bearer token, where neither --token nor --user is given."],
  ["NO_COLOR", "When set, nothing is coloured."],
];
const loginFiles: HelpPage["files"] = [
  [
    "$XDG_RUNTIME_DIR/containers/auth.json, ~/.docker/config.json",
    "What 'podman login' and 'docker login' keep; used where the command line says nothing.",
  ],
];

export const lookingHelp = {
  ls: {
    says: `Of a registry it lists the repositories, one a line; a name that ends with / is the beginning of theirs. Of a repository it lists the tags, the highest version first, with what each is: an image, a chart, a model; its platforms, and the size of its content, compressed as it is pulled. Signatures that are kept under tags are left out.

Works with any registry. Some list no repositories, such as Docker Hub; their tags can be listed all the same.`,
    exitStatus: lookedStatus,
    environment: lookedEnvironment,
    files: loginFiles,
    examples: [
      "zot ls",
      "zot ls registry.example.com",
      "zot ls team/",
      "zot ls docker.io/library/alpine -n 10",
      "zot ls registry.example.com/team/app --quiet | head -1",
      "zot ls oci:images",
    ],
    seeAlso: ["zot help inspect", "zot help search", "docs/guides/inspect.md"],
  },
  inspect: {
    says: `Shows what a tag or digest is: for an index its images, for an image its config, environment, labels and layers, for charts, models, policies and other artifacts what they say of themselves; annotations, and what refers to it, such as signatures and SBOMs; and the commands by which clients fetch it. Layers are not read.

Works with any registry, with OCI layouts in directories and in tar archives. --json has everything.`,
    exitStatus: lookedStatus,
    environment: lookedEnvironment,
    files: loginFiles,
    examples: [
      "zot inspect team/app:1.0",
      "zot inspect --platform linux/arm64 docker.io/library/alpine:3.20",
      "zot inspect --json ghcr.io/org/chart:2 | jq .annotations",
      "zot inspect oci-archive:app.tar",
    ],
    seeAlso: ["zot help tree", "zot help diff", "docs/guides/inspect.md"],
  },
  tree: {
    says: `Draws an index with its images, each image with its config and layers, and below each what refers to it: signatures, SBOMs, attestations, and signatures of those. A layer is named by the command that made it, a file by its name.`,
    exitStatus: lookedStatus,
    environment: lookedEnvironment,
    files: loginFiles,
    examples: [
      "zot tree team/app:1.0",
      "zot tree ghcr.io/org/tool:2 --json",
      "zot tree oci:images:1.0",
    ],
    seeAlso: ["zot help inspect", "docs/guides/inspect.md"],
  },
  diff: {
    says: `Compares two images: of indexes which platforms came, went or changed; then of one platform the config, annotations, layers, sizes, and packages where both have an SBOM. What is only in the first is marked with -, what is only in the second with +, what has another value with ~.

With --files it reads the layers of both, each once and as a stream, and compares the files that a container would see: added, removed, and changed in content, mode, owner, type or target. Nothing is unpacked. Layers may hold up to 200,000 files each and 4 GiB together; gzip, zstd and plain tars are read.

Either side may be of another registry, a layout, an archive, or another moment of this registry (at.7d/team/app:1.0).`,
    exitStatus: [
      [0, "Compared."],
      [
        1,
        "Not there, or it cannot be read, or files could not be compared; the reason is on standard error or below Files.",
      ],
      [2, "A mistake on the command line."],
      [3, "With --exit-code: they are not the same manifest."],
    ],
    environment: lookedEnvironment,
    files: loginFiles,
    examples: [
      "zot diff team/app:1.0 team/app:1.1",
      "zot diff --files team/app:1.0 team/app:1.1",
      "zot diff at.7d/team/app:latest team/app:latest",
      "zot diff --platform linux/arm64 docker.io/library/alpine:3.19 docker.io/library/alpine:3.20",
      "zot diff --exit-code oci-archive:app.tar team/app:1.0 --json",
    ],
    seeAlso: ["zot help inspect", "docs/guides/inspect.md"],
  },
  search: {
    says: `Finds repositories by a part of their names; images by NAME:TAG (the beginning of a tag), by :TAG (a part of one, in any repository), and by a digest of an index, image, config or layer. It asks for zot's search (GraphQL), which this registry and zot in Go have where extensions.search is on. You are shown what you may read.`,
    exitStatus: [
      [0, "Asked, whether something was found or not."],
      [1, "The registry has no search, or refuses; the reason is on standard error."],
      [2, "A mistake on the command line."],
    ],
    environment: lookedEnvironment,
    files: loginFiles,
    examples: [
      "zot search alpine",
      "zot search -s registry.example.com team/app:1.",
      "zot search :latest --json",
    ],
    seeAlso: ["zot help ls", "docs/guides/inspect.md"],
  },
} as const satisfies Record<string, HelpPage>;
