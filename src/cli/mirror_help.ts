// What `zot help mirror` says: the page of the manual about settings for clients, the probe and the status.

import type { HelpPage } from "./command.ts";

export const mirrorHelp = {
  says: `Is for whoever sets up clients of a registry that mirrors others (zot serve --mirror docker.io). It prints what each client has to be told, with the upstreams and names that this registry has: files for the machine where the client runs. With --for, standard output is the file of that client alone, and standard error says where it belongs.

probe asks the mirror for a small image of each upstream as a client would, and says what came of it: the image is in the cache then. status shows what the upstreams are like: whether they answer, what is left of their budget, how much was answered from here, how much is here, how old the oldest stale answer of the last day was.

Without a configuration the running server is asked, which tells administrators alone where callers log in.`,
  exitStatus: [
    [0, "Done; of probe: every upstream can be pulled through the mirror."],
    [1, "Not done, or an upstream cannot be pulled: the reason is shown."],
    [2, "A mistake on the command line."],
  ],
  environment: [
    ["ZOT_SERVER", "The server, where none is named (default: http://127.0.0.1:8080)."],
    ["ZOT_PASSWORD", "Password for --user with a name only."],
    ["ZOT_TOKEN", "Bearer token, where neither --token nor --user is given."],
  ],
  files: [
    [
      "what",
      "A configuration with the keys of zot (Go); every key is in docs/reference/config.md.",
    ],
  ],
  examples: [
    "zot mirror",
    "zot mirror --for podman --address zot.example:5000 > /etc/containers/registries.conf.d/50-zot.conf",
    "zot mirror --for containerd --address zot.example:5000 --write /",
    "zot mirror config.json --for docker",
    "zot mirror probe",
    "zot mirror probe ghcr.io/owner/app:1.0",
    "zot mirror status --server https://zot.example:5000 --user ann",
  ],
  seeAlso: ["zot help serve", "docs/guides/mirror.md"],
} as const satisfies HelpPage;
