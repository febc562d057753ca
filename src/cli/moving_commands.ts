// Rows of the table of commands that move content: between places, and across a gap without network.
//
// As in `commands.ts`, nothing but types and texts may be imported at the top of this file.

import type { Command } from "./command.ts";
import { helpPages } from "./help_pages.ts";
import { askOptions, registryOptions, sideOptions } from "./registry_options.ts";

const placeSays =
  "docker://HOST/NAME[:TAG|@DIGEST], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]";
const timeout = registryOptions.filter(({ flags }) => flags.startsWith("--timeout"));

const parallelFlag = { flags: "--parallel <n>", says: "blobs at once (default: 6)" } as const;

const copyOptions: Command["options"] = [
  { flags: "--all-tags", says: "copy every tag of the repository or layout" },
  { flags: "--tags <regex>", says: "copy the tags that fit" },
  {
    flags: "--platform <platforms>",
    says: "of an index only these, such as linux/amd64,linux/arm64; the digest changes",
  },
  { flags: "--no-referrers", says: "leave signatures, SBOMs and the like behind" },
  parallelFlag,
  { flags: "-d, --dry-run", says: "tell what would go and how many bytes, and copy nothing" },
  { flags: "-f, --format <format>", says: "text or json (default: text)" },
  ...sideOptions("from"),
  ...sideOptions("to"),
  ...timeout,
];

const registryArgument = {
  name: "registry",
  required: true,
  says: "The registry: host:port (HTTP on this machine, else HTTPS), or a URL.",
} as const;

const exportOptions: Command["options"] = [
  { flags: "-o, --output <file>", says: "the archive; - is standard output" },
  {
    flags: "--since <file>",
    says: "what the other side has: a checkpoint, or the last archive; only what it lacks goes",
  },
  { flags: "--checkpoint <file>", says: "write what the other side has after the import (.json)" },
  parallelFlag,
  { flags: "-d, --dry-run", says: "tell what would go, and write nothing" },
  ...askOptions,
];

const importOptions: Command["options"] = [
  { flags: "--digest <digest>", says: "what 'zot export' printed; any other archive is refused" },
  { flags: "--force", says: "set the tags of the archive whatever they point at here" },
  parallelFlag,
  { flags: "-d, --dry-run", says: "prove the archive and compare it with what is here" },
  ...askOptions,
];

const migrateOptions: Command["options"] = [
  {
    flags: "--prepare",
    says: "bytes alone, while a server serves the old registry; run it again without to finish",
  },
  {
    flags: "--repositories <globs>",
    says: "of a registry of another kind these alone, separated by commas",
  },
  { flags: "--parallel <n>", says: "contents at once (default: 6)" },
  { flags: "-f, --format <format>", says: "text or json, one object a line (default: text)" },
];

/** In the order of the help. */
export const movingCommands: readonly Command[] = [
  {
    name: "copy",
    arguments: [
      { name: "from", required: true, says: `Where images are: ${placeSays}.` },
      {
        name: "to",
        required: true,
        says: "Where they go, likewise; without a tag, under the same.",
      },
    ],
    options: copyOptions,
    summary: "Copy images between registries, OCI layouts and archives",
    help: helpPages.copy,
    run: async (given, output) => {
      const { copyCommand } = await import("./copy.ts");
      return await copyCommand(given, output);
    },
  },
  {
    name: "export",
    arguments: [
      registryArgument,
      {
        name: "repositories",
        required: false,
        says: "Names or globs, separated by commas (default: all).",
      },
    ],
    options: exportOptions,
    summary: "Write repositories into an archive, for a side without network",
    help: helpPages.export,
    run: async (given, output) => {
      const { exportCommand } = await import("./export.ts");
      return await exportCommand(given, output);
    },
  },
  {
    name: "import",
    arguments: [
      {
        name: "archive",
        required: true,
        says: "What 'zot export' wrote.",
        completes: "files",
      },
      registryArgument,
    ],
    options: importOptions,
    summary: "Bring what 'zot export' wrote into a registry",
    help: helpPages.import,
    run: async (given, output) => {
      const { importCommand } = await import("./import.ts");
      return await importCommand(given, output);
    },
  },
  {
    name: "migrate",
    arguments: [
      {
        name: "from",
        required: true,
        says: "Configuration of the registry that moves; zot:CONFIG, distribution:CONFIG or DIRECTORY.",
        completes: "files",
      },
      {
        name: "to",
        required: true,
        says: "Configuration of the place where it goes, which is empty.",
        completes: "files",
      },
    ],
    options: migrateOptions,
    summary: "Move a registry between disks, buckets and databases",
    help: helpPages.migrate,
    run: async (given, output) => {
      const { migrateCommand } = await import("./migrate.ts");
      return await migrateCommand(given, output);
    },
  },
];
