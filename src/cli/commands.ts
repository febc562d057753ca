// TABLE of commands. Help, the check of what a person typed, and the reference follow from it.
//
// A row names its work and loads it when it is called, so that `zot --version` does not pay for a
// server: nothing but types and texts may be imported at the top of this file.

import type { Command } from "./command.ts";
import {
  contentCommands,
  mirrorCommands,
  objectCommands,
  recoveryCommands,
  retentionCommands,
} from "./asking_commands.ts";
import { helpPages } from "./help_pages.ts";
import { lookingCommands } from "./looking_commands.ts";
import { movingCommands } from "./moving_commands.ts";
import { askOptions, registryOptions } from "./registry_options.ts";
import type { UserAction } from "./user.ts";

const configArgument = "Configuration file with the keys of zot (Go), JSON or YAML.";
const config = { name: "config", says: configArgument, completes: "files" } as const;
const configOrInput = { ...config, says: `${configArgument} - is standard input.` } as const;
const url = {
  name: "url",
  required: false,
  says: "Registry: host:port (HTTP on this machine, else HTTPS), or a URL.",
} as const;

/** Flags of `compliance`; those of the first release keep their letters. */
const complianceOptions: Command["options"] = [
  {
    flags: "-H, --address <host>",
    says: "host of the registry, plain HTTP unless a TLS option is given",
  },
  { flags: "-P, --port <port>", says: "port of the registry" },
  { flags: "-V, --spec-version <version>", says: "judge by all, 1.0, 1.1 or dev (default: all)" },
  { flags: "-j, --json", says: "the same as --format json" },
  { flags: "--format <format>", says: "text, json, junit or html (default: text)" },
  { flags: "--name <text>", says: "what the report calls the registry (default: its URL)" },
  {
    flags: "--output <files>",
    says: "write it to files, separated by commas: .txt, .json, .xml, .html",
  },
  ...registryOptions,
  { flags: "--repository <name>", says: "repository to push to (default: zot-compliance/first)" },
  {
    flags: "--second-repository <name>",
    says: "repository to mount from (default: zot-compliance/second)",
  },
  { flags: "--groups <names>", says: "run these groups only, separated by commas" },
  { flags: "--read-only", says: "push nothing; judge what is there in --repository" },
];

const benchOptions: Command["options"] = [
  { flags: "-c, --concurrency <n>", says: "operations at once (default: 8)" },
  {
    flags: "-n, --requests <n>",
    says: "operations of a scenario; of large transfers a part of it (default: 200)",
  },
  {
    flags: "--rounds <n>",
    says: "measure each scenario so often, in turn; the best round counts (default: 1)",
  },
  { flags: "-A, --auth-creds <user:password>", says: "the same as --user" },
  { flags: "-s, --scenarios <regex>", says: "only scenarios whose name fits" },
  { flags: "-l, --list", says: "print the scenarios and end" },
  {
    flags: "--compare <url>",
    says: "run each scenario on this registry as well, and print ratios",
  },
  { flags: "--pid <pid>", says: "the server's process on this machine: measures what it costs" },
  { flags: "--compare-pid <pid>", says: "the same for the other registry" },
  {
    flags: "-r, --repository <prefix>",
    says: "first part of the repositories' names (default: zot-bench)",
  },
  { flags: "--skip-cleanup", says: "leave what was pushed" },
  { flags: "-j, --json", says: "the same as --format json" },
  { flags: "--format <format>", says: "text, json or html (default: text)" },
  { flags: "--output <file>", says: "write the report to a file" },
  ...registryOptions,
];

const gcOptions: Command["options"] = [
  {
    flags: "-r, --storage-root-dir <dir>",
    says: "root directory of a server that is stopped, or OCI layouts of any program",
  },
  { flags: "-m, --delete-untagged", says: "remove manifests without a tag, too" },
  { flags: "-d, --dry-run", says: "print what would go, and change nothing" },
  {
    flags: "--older-than <duration>",
    says: "only what has had no name for so long (default: 0s)",
  },
  {
    flags: "-s, --server <url>",
    says: "server to ask (default: ZOT_SERVER, http://127.0.0.1:8080)",
  },
  { flags: "-o, --output <file>", says: "write the plan to a file" },
  ...askOptions,
];

/** The table, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: "serve",
    arguments: [{ ...config, required: false }],
    options: [
      {
        flags: "--mirror <registries>",
        says: "pull through these when somebody asks, such as docker.io,ghcr.io",
      },
    ],
    summary: "Serve a registry until it is told to stop",
    help: helpPages.serve,
    run: async (given, output) => {
      const { serveCommand } = await import("./serve_command.ts");
      const { mirror } = given.options;
      const mirrors = typeof mirror === "string" ? mirror : null;
      return await serveCommand(given.arguments["config"] ?? null, mirrors, output);
    },
  },
  {
    name: "verify",
    arguments: [{ ...configOrInput, required: true }],
    options: [
      {
        flags: "--no-files",
        says: "look at the configuration alone, not into the files that it names",
      },
    ],
    summary: "Check a configuration without serving it",
    help: helpPages.verify,
    run: async (given, output) => {
      const { verify } = await import("./verify.ts");
      const looksIntoFiles = given.options["files"] !== false;
      return await verify(given.arguments["config"] ?? "", { looksIntoFiles }, output);
    },
  },
  {
    name: "gc",
    arguments: [
      {
        name: "action",
        required: false,
        says: "plan: list what a server would remove; apply: carry such a list out.",
        completes: ["plan", "apply"],
      },
      { name: "file", required: false, says: "The plan to apply; - is standard input." },
    ],
    options: gcOptions,
    summary: "Remove what nothing names from a directory, or plan it",
    help: helpPages.gc,
    run: async (given, output) => {
      const { gcCommand } = await import("./gc_command.ts");
      return await gcCommand(given, output);
    },
  },
  {
    name: "scrub",
    arguments: [
      {
        ...configOrInput,
        required: false,
        says: `${configOrInput.says} The words status and forget: ask a running server.`,
      },
      { name: "digest", required: false, says: "With forget: of content that was damaged." },
    ],
    options: [
      {
        flags: "-r, --storage-root-dir <dir>",
        says: "root directory, or OCI layouts of any program, instead of a configuration",
      },
      {
        flags: "-s, --server <url>",
        says: "server to ask (default: ZOT_SERVER, http://127.0.0.1:8080)",
      },
      ...askOptions,
    ],
    summary: "Check all content of a directory, or tell what a server found",
    help: helpPages.scrub,
    run: async (given, output) => {
      const { scrub } = await import("./scrub.ts");
      return await scrub(given, output);
    },
  },
  {
    name: "authz",
    arguments: [
      { ...configOrInput, required: true },
      { name: "user", required: true, says: "Name of the user; - for an anonymous caller." },
      {
        name: "action",
        required: true,
        says: "read, create, update or delete.",
        completes: ["read", "create", "update", "delete"],
      },
      { name: "repository", required: true, says: "Name of the repository." },
    ],
    options: [
      {
        flags: "-g, --group <name...>",
        says: "Groups that a directory or a token gives the user.",
      },
    ],
    summary: "Tell whether a user may do something, and why",
    help: helpPages.authz,
    run: async (given, output) => {
      const { authz } = await import("./authz.ts");
      const groups = given.options["group"];
      const question = {
        configPath: given.arguments["config"] ?? "",
        user: given.arguments["user"] ?? "",
        action: given.arguments["action"] ?? "",
        repository: given.arguments["repository"] ?? "",
        groups: Array.isArray(groups) ? groups.map(String) : [],
      };
      return await authz(question, output);
    },
  },
  {
    name: "user",
    arguments: [
      {
        name: "action",
        required: true,
        says: "add, remove, list or password.",
        completes: ["add", "remove", "list", "password"] satisfies readonly UserAction[],
      },
      {
        name: "file",
        required: true,
        says: "The htpasswd file; add makes it.",
        completes: "files",
      },
      { name: "name", required: false, says: "Name of the user; list takes none." },
    ],
    options: [],
    summary: "Add and remove users of an htpasswd file, and set passwords",
    help: helpPages.user,
    run: async (given, output) => {
      const { userCommand } = await import("./user.ts");
      const request = {
        action: given.arguments["action"] ?? "",
        path: given.arguments["file"] ?? "",
        name: given.arguments["name"] ?? null,
      };
      return await userCommand(request, output);
    },
  },
  {
    name: "schema",
    arguments: [],
    options: [],
    summary: "Print the JSON Schema of a configuration",
    help: helpPages.schema,
    run: async (_given, output) => {
      const { jsonSchema } = await import("../config/json_schema.ts");
      output.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      return 0;
    },
  },
  ...lookingCommands,
  ...movingCommands,
  ...contentCommands,
  ...objectCommands,
  ...recoveryCommands,
  ...mirrorCommands,
  {
    name: "compliance",
    arguments: [url],
    options: complianceOptions,
    summary: "Judge any registry by the distribution specification",
    help: helpPages.compliance,
    run: async (given, output) => {
      const { complianceCommand } = await import("./compliance.ts");
      return await complianceCommand(given, output);
    },
  },
  {
    name: "bench",
    arguments: [url],
    options: benchOptions,
    summary: "Measure how fast a registry is, alone or against another",
    help: helpPages.bench,
    run: async (given, output) => {
      const { benchCommand } = await import("./bench.ts");
      return await benchCommand(given, output);
    },
  },
  ...retentionCommands,
  {
    name: "openapi",
    arguments: [{ ...configOrInput, required: false }],
    options: [],
    summary: "Print the OpenAPI document of the HTTP API",
    help: helpPages.openapi,
    run: async (given, output) => {
      const { openapi } = await import("./openapi.ts");
      return await openapi(given.arguments["config"] ?? null, output);
    },
  },
  {
    name: "completion",
    arguments: [
      {
        name: "shell",
        required: true,
        says: "bash, zsh or fish.",
        completes: ["bash", "zsh", "fish"],
      },
    ],
    options: [],
    summary: "Print a script by which a shell completes command lines",
    help: helpPages.completion,
    run: async (given, output) => {
      const { completion } = await import("./completion.ts");
      return completion(given.arguments["shell"] ?? "", commands, output);
    },
  },
  {
    name: "version",
    arguments: [],
    options: [],
    summary: "Print the versions of zot and of what it is made of",
    help: helpPages.version,
    run: async (_given, output) => {
      const { versionText } = await import("./version.ts");
      output.out(versionText());
      return 0;
    },
  },
  {
    name: "heavy",
    arguments: [],
    options: [],
    summary: "Do work that computes for long, for 'zot serve'",
    help: helpPages.heavy,
    hidden: true,
    run: async () => {
      const { runOwnCommand } = await import("./own_command.ts");
      return (await runOwnCommand(["heavy"])) ?? 1;
    },
  },
  {
    name: "worker",
    arguments: [],
    options: [],
    summary: "Serve one share of the requests, for 'zot serve'",
    help: helpPages.worker,
    hidden: true,
    run: async () => {
      const { runOwnCommand } = await import("./own_command.ts");
      return (await runOwnCommand(["worker"])) ?? 1;
    },
  },
];
