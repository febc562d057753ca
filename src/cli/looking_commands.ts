// Rows of the table of commands that look at any registry, layout or archive, and change nothing. Nothing but types and
// texts may be imported at the top of this file, either.

import type { Command } from "./command.ts";
import { helpPages } from "./help_pages.ts";
import { askOptions } from "./registry_options.ts";

const imageSays =
  "[HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME].";
const json = { flags: "-j, --json", says: "the same as --format json" } as const;
const platform = {
  flags: "--platform <platform>",
  says: "which image of an index, such as linux/arm64 (default: linux on this machine's processor)",
} as const;
const lookOptions: Command["options"] = [json, ...askOptions];

/** In the order of the help. */
export const lookingCommands: readonly Command[] = [
  {
    name: "ls",
    arguments: [
      {
        name: "place",
        required: false,
        says: "A registry (HOST[:PORT]), names in it (team/), or a repository, whose tags are listed.",
      },
    ],
    options: [
      { flags: "-n, --number <n>", says: "tags to look at (default: 50)" },
      { flags: "-q, --quiet", says: "names alone, all of them, without a look at each" },
      ...lookOptions,
    ],
    summary: "List repositories of a registry, or tags of a repository",
    help: helpPages.ls,
    run: async (given, output) => {
      const { lsCommand } = await import("./ls.ts");
      return await lsCommand(given, output);
    },
  },
  {
    name: "inspect",
    arguments: [{ name: "image", required: true, says: imageSays }],
    options: [platform, ...lookOptions],
    summary: "Show an image or artifact: platforms, layers, config, signatures",
    help: helpPages.inspect,
    run: async (given, output) => {
      const { inspectCommand } = await import("./inspect.ts");
      return await inspectCommand(given, output);
    },
  },
  {
    name: "tree",
    arguments: [{ name: "image", required: true, says: imageSays }],
    options: lookOptions,
    summary: "Draw what an image is made of, and what refers to it",
    help: helpPages.tree,
    run: async (given, output) => {
      const { treeCommand } = await import("./tree.ts");
      return await treeCommand(given, output);
    },
  },
  {
    name: "diff",
    arguments: [
      { name: "a", required: true, says: `What was: ${imageSays}` },
      { name: "b", required: true, says: "What is, likewise." },
    ],
    options: [
      { flags: "--files", says: "compare files, too: reads the layers of both" },
      platform,
      { flags: "--exit-code", says: "end with status 3 when they differ" },
      ...lookOptions,
    ],
    summary: "Show what differs between two images",
    help: helpPages.diff,
    run: async (given, output) => {
      const { diffCommand } = await import("./diff.ts");
      return await diffCommand(given, output);
    },
  },
  {
    name: "search",
    arguments: [
      {
        name: "text",
        required: true,
        says: "Part of a repository's name, NAME:TAG, :TAG, or a digest.",
      },
    ],
    options: [
      { flags: "-n, --number <n>", says: "results to show (default: 25)" },
      {
        flags: "-s, --server <url>",
        says: "server to ask (default: ZOT_SERVER, http://127.0.0.1:8080)",
      },
      ...lookOptions,
    ],
    summary: "Search a registry that has zot's search",
    help: helpPages.search,
    run: async (given, output) => {
      const { searchCommand } = await import("./search.ts");
      return await searchCommand(given, output);
    },
  },
];
