// Rows of the table of commands that ask a running server about its content, or to bring some of it back. Nothing but types
// and texts may be imported at the top of this file, either.

import type { Command } from "./command.ts";
import { helpPages } from "./help_pages.ts";
import { auditHelp, backupHelp, restoreHelp } from "./object_help.ts";
import { askOptions, targetSays } from "./registry_options.ts";

const reference = { name: "reference", required: true } as const;

/** What was there, what comes back, what is there. */
export const contentCommands: readonly Command[] = [
  {
    name: "history",
    arguments: [{ ...reference, says: `A tag: ${targetSays}` }],
    options: [{ flags: "-n, --number <n>", says: "events to show (default: 20)" }, ...askOptions],
    summary: "Show what a tag pointed at, and who moved it",
    help: helpPages.history,
    run: async (given, output) => {
      const { historyCommand } = await import("./history.ts");
      return await historyCommand(given, output);
    },
  },
  {
    name: "undo",
    arguments: [{ ...reference, required: false, says: `A tag: ${targetSays}` }],
    options: [
      { flags: "--to <state>", says: "a digest, a time, or @n of 'zot history' (default: @1)" },
      { flags: "--since <when>", says: "take back all that was done to tags since then" },
      { flags: "--by <name>", says: "with --since: only what this user did" },
      { flags: "--prefix <text>", says: "with --since: only repositories whose names begin so" },
      { flags: "--server <url>", says: "with --since: the server (default: $ZOT_SERVER)" },
      { flags: "--yes", says: "with --since: carry out the plan that is shown" },
      ...askOptions,
    ],
    summary: "Set a tag back, or take back all that was done since a moment",
    help: helpPages.undo,
    run: async (given, output) => {
      const { undoCommand } = await import("./undo.ts");
      return await undoCommand(given, output);
    },
  },
  {
    name: "undelete",
    arguments: [{ ...reference, says: `A digest: ${targetSays}` }],
    options: askOptions,
    summary: "Bring back a manifest or blob that was deleted or collected",
    help: helpPages.undelete,
    run: async (given, output) => {
      const { undeleteCommand } = await import("./undelete.ts");
      return await undeleteCommand(given, output);
    },
  },
  {
    name: "purge",
    arguments: [{ ...reference, says: `A digest: ${targetSays}` }],
    options: [{ flags: "--reason <text>", says: "why, for history (required)" }, ...askOptions],
    summary: "Remove a manifest or blob for good: no undo brings it back",
    help: helpPages.purge,
    run: async (given, output) => {
      const { purgeCommand } = await import("./undelete.ts");
      return await purgeCommand(given, output);
    },
  },
  {
    name: "du",
    arguments: [
      {
        name: "place",
        required: false,
        says: "[HOST[:PORT]/]REPOSITORY, or a prefix of names such as team/ (default: all).",
      },
    ],
    options: [
      { flags: "-s, --summary", says: "only what they take together" },
      { flags: "--tags", says: "what goes with each tag of the repository" },
      { flags: "--server <url>", says: "the server (default: $ZOT_SERVER)" },
      ...askOptions,
    ],
    summary: "Show what repositories and tags take, and what would be freed",
    help: helpPages.du,
    run: async (given, output) => {
      const { duCommand } = await import("./du.ts");
      return await duCommand(given, output);
    },
  },
];

/** What a store of objects has. */
export const objectCommands: readonly Command[] = [
  {
    name: "audit",
    arguments: [
      {
        name: "action",
        required: false,
        says: "run: ask for an audit now, and wait for its end. Without it the last one is shown.",
        completes: ["run"],
      },
    ],
    options: [
      { flags: "--remove", says: "with run: remove objects that nothing knows" },
      { flags: "--before-restore", says: "with --remove: also those from before the last restore" },
      { flags: "--adopt <repository>", says: "with run: take them into a repository, untagged" },
      { flags: "--server <url>", says: "the server (default: $ZOT_SERVER)" },
      ...askOptions,
    ],
    summary: "Compare a store of objects with what the registry knows",
    help: auditHelp,
    run: async (given, output) => {
      const { auditCommand } = await import("./audit.ts");
      return await auditCommand(given, output);
    },
  },
];

const configArgument = {
  name: "config",
  required: true,
  completes: "files",
  says: "Configuration of the registry, JSON or YAML. - is standard input.",
} as const;

/** What is known, kept beside the content. */
export const recoveryCommands: readonly Command[] = [
  {
    name: "backup",
    arguments: [configArgument],
    options: [],
    summary: "Export what the registry knows to its store of objects",
    help: backupHelp,
    run: async (given, output) => {
      const { backupCommand } = await import("./recovery.ts");
      return await backupCommand(given, output);
    },
  },
  {
    name: "restore",
    arguments: [
      configArgument,
      { name: "export", required: false, says: "Its name in --list (default: the newest)." },
    ],
    options: [
      { flags: "--list", says: "show the exports that there are" },
      { flags: "--at <time>", says: "the newest one up to then, such as 2026-12-01T18:30:00Z" },
      { flags: "--as-they-are", says: "note that metadata were put back by other means" },
    ],
    summary: "Put back metadata that were lost, from an export in the store",
    help: restoreHelp,
    run: async (given, output) => {
      const { restoreCommand } = await import("./recovery.ts");
      return await restoreCommand(given, output);
    },
  },
];

/** What stays, and why. */
export const retentionCommands: readonly Command[] = [
  {
    name: "retention",
    arguments: [
      {
        name: "action",
        required: true,
        says: "explain: what is decided about tags, and why.",
        completes: ["explain"],
      },
      { name: "reference", required: true, says: targetSays },
    ],
    options: askOptions,
    summary: "Tell what retention decides about tags, and why",
    help: helpPages.retention,
    run: async (given, output) => {
      const { retentionCommand } = await import("./retention.ts");
      return await retentionCommand(given, output);
    },
  },
  {
    name: "why",
    arguments: [{ name: "reference", required: true, says: targetSays }],
    options: askOptions,
    summary: "Tell what keeps a manifest or a blob",
    help: helpPages.why,
    run: async (given, output) => {
      const { whyCommand } = await import("./retention.ts");
      return await whyCommand(given, output);
    },
  },
];

/** What stands in front of the mirror, and behind it. */
export const mirrorCommands: readonly Command[] = [
  {
    name: "mirror",
    arguments: [
      {
        name: "action",
        required: false,
        says: "snippets (or nothing): settings for clients; probe: does it work; status: how are its upstreams.",
        completes: ["snippets", "probe", "status"],
      },
      {
        name: "what",
        required: false,
        says: "For snippets a configuration in place of the server that runs; for probe an image, such as ghcr.io/owner/app:1.",
        completes: "files",
      },
    ],
    options: [
      {
        flags: "--for <client>",
        says: "containerd, docker, podman, crio, buildkit, k3s or rke2: its file alone (default: all of them)",
      },
      {
        flags: "--address <host:port>",
        says: "where clients reach the mirror (default: where it was asked)",
      },
      {
        flags: "--client-ca <file>",
        says: "certificate that clients have to trust, as a file on their machines",
      },
      {
        flags: "--write <dir>",
        says: "with --for: write the files below this directory; / is where they are read",
      },
      {
        flags: "-s, --server <url>",
        says: "server to ask (default: ZOT_SERVER, http://127.0.0.1:8080)",
      },
      ...askOptions,
    ],
    summary: "Print settings for clients of the mirror, and its state",
    help: helpPages.mirror,
    run: async (given, output) => {
      const { mirrorCommand } = await import("./mirror.ts");
      return await mirrorCommand(given, output);
    },
  },
];
