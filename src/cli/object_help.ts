// What `zot help` says of commands about stores of objects.

import type { HelpPage } from "./command.ts";

export const auditHelp = {
  says: `A server whose content lies in a store of objects compares the two once a week (storage.auditInterval), page by page: content whose object is gone or has another length is marked damaged, so that a push repairs it, and the log names its tags; objects that nothing knows are told once they are two days old; uploads in parts that nobody went on with are removed. This command shows what the last audit found, and with the word run asks for one and waits for its end. It is for administrators.

Objects that nothing knows stay, unless --remove is given. After a restore of the metadata they may be what was pushed since the export: --remove then keeps those that are older than the restore, and --adopt reads them, and takes each into a repository as a blob without a manifest, where a push of its image finds it.`,
  exitStatus: [
    [0, "Nothing is lost."],
    [1, "The audit could not be made: the reason is shown."],
    [2, "A mistake on the command line."],
    [3, "Content was lost."],
  ],
  environment: [
    ["ZOT_SERVER", "The server, where no host is named (default: http://127.0.0.1:8080)."],
    ["ZOT_PASSWORD", "Password for --user with a name only."],
    ["ZOT_TOKEN", "Bearer token, where neither --token nor --user is given."],
  ],
  examples: [
    "zot audit",
    "zot audit run",
    "zot audit run --adopt recovered",
    "zot audit run --remove --server https://registry.example.com",
  ],
  seeAlso: ["zot help scrub", "docs/guides/object_storage.md"],
} satisfies HelpPage;
