// What `zot help` says of commands about stores of objects.

import type { HelpPage } from "./command.ts";

export const auditHelp = {
  says: `A server whose content lies in a store of objects compares the two once a week (storage.auditInterval), page by page: content whose object is gone or has another length is marked damaged, so that a push repairs it, and the log names its tags; objects that nothing knows are told once they are two days old; uploads in parts that nobody went on with are removed. This command shows what the last audit found, and with the word run asks for one and waits for its end. It is for administrators.

Objects that nothing knows stay, unless --remove is given. After a restore of the metadata (zot restore) they may be what was pushed since the export: --remove then keeps those that are older than the restore, and --adopt reads them, and takes each into a repository as a blob without a manifest, where a push of its image finds it.`,
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
  seeAlso: ["zot help restore", "zot help scrub", "docs/guides/object_storage.md"],
} satisfies HelpPage;

const configEnvironment: HelpPage["environment"] = [
  ["NAME", "Any variable that the configuration names as ${NAME} or ${NAME:-default}."],
];
const seeAlso = ["zot help audit", "docs/guides/object_storage.md"];

export const backupHelp = {
  says: `Writes all that the registry knows (repositories, tags, manifests, history, keys of users, names of objects) to its store of objects, as one compressed file below metadata/, and keeps the newest storage.exportsKept of them. It sees one moment, and may run beside a server, which does the same every storage.exportInterval. For a registry whose content lies in a store of objects, with SQLite or PostgreSQL.`,
  exitStatus: [
    [0, "Written."],
    [1, "Not written: the reason is on standard error."],
    [2, "A mistake on the command line."],
  ],
  environment: configEnvironment,
  examples: ["zot backup config.yaml"],
  seeAlso: ["zot help restore", ...seeAlso],
} satisfies HelpPage;

export const restoreHelp = {
  says: `Puts an export of the metadata back where they were lost: into an empty storage.rootDirectory or database, of SQLite or PostgreSQL. The export is read to its end before anything is changed, and all of it is there afterwards, or nothing. No server of the registry may run.

From then on the bucket belongs to what was put back: metadata of before are refused at the start. The next start compares the bucket with it. Tags and manifests of after the export are gone; what they consisted of is told as unknown objects, which stay, and zot audit run --adopt takes them in.

With --as-they-are nothing is put back: it notes that the metadata which are there were (a copy of the root directory, a database at an earlier moment), so that the next audit knows.`,
  exitStatus: [
    [0, "Done."],
    [1, "Not done: the reason is on standard error."],
    [2, "A mistake on the command line."],
  ],
  environment: configEnvironment,
  examples: [
    "zot restore config.yaml --list",
    "zot restore config.yaml",
    "zot restore config.yaml --at 2026-12-01T18:30:00Z",
    "zot restore config.yaml --as-they-are",
  ],
  seeAlso: ["zot help backup", ...seeAlso],
} satisfies HelpPage;
