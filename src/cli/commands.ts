// TABLE of commands. Help, the check of what a person typed, and the reference follow from it.
//
// A row names its work and loads it when it is called, so that `zot --version` does not pay for a
// server: nothing but types may be imported at the top of this file.

import type { Command } from "./command.ts";
import { registryOptions } from "./registry_options.ts";

const configArgument = "Configuration file in zot's dialect, JSON or YAML.";

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

/** The table, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: "serve",
    arguments: [{ name: "config", required: false, says: configArgument }],
    options: [],
    summary: "Serve a registry until it is told to stop",
    help: `
Without a configuration the registry listens on 127.0.0.1:8080 and keeps its images in a directory
of your own. SIGTERM and SIGINT stop it once the requests in flight are done.

Example:
  zot serve examples/config-minimal.json`,
    run: async (given, output) => {
      const { serveCommand } = await import("./serve_command.ts");
      return await serveCommand(given.arguments["config"] ?? null, output);
    },
  },
  {
    name: "verify",
    arguments: [{ name: "config", required: true, says: configArgument }],
    options: [],
    summary: "Check a configuration without serving it",
    help: `
Prints one line for each problem, the same that would stop 'zot serve', and exits with status 1.
Variables are looked up in the environment, as they would be at the start.

Example:
  zot verify config.yaml && systemctl restart zot`,
    run: async (given, output) => {
      const { verify } = await import("./verify.ts");
      return await verify(given.arguments["config"] ?? "", output);
    },
  },
  {
    name: "authz",
    arguments: [
      { name: "config", required: true, says: configArgument },
      { name: "user", required: true, says: "Name of the user; - for an anonymous caller." },
      { name: "action", required: true, says: "read, create, update or delete." },
      { name: "repository", required: true, says: "Name of the repository." },
    ],
    options: [
      {
        flags: "-g, --group <name...>",
        says: "Groups that a directory or a token gives the user.",
      },
    ],
    summary: "Tell whether a user may do something, and why",
    help: `
Prints the decision, the policy that made it, and every glob that fits the repository. Exits with
status 0 when it is allowed and 1 when it is not. Conditions are shown and taken to hold.

Example:
  zot authz config.yaml alice update team/app`,
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
    name: "schema",
    arguments: [],
    options: [],
    summary: "Print the JSON Schema of a configuration",
    help: `
Editors complete and check configuration files with it.

Example:
  zot schema > zot.schema.json`,
    run: async (_given, output) => {
      const { jsonSchema } = await import("../config/json_schema.ts");
      output.out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      return 0;
    },
  },
  {
    name: "compliance",
    arguments: [{ name: "url", required: false, says: "Registry: host:port, or an http(s) URL." }],
    options: complianceOptions,
    summary: "Judge any registry by the distribution specification",
    help: `
Pushes, pulls, lists and deletes content of its own in two repositories, and removes it again.
Exit status: 0 compliant, 1 not compliant, 2 could not judge.

Groups: ping, empty, push, upload, pull, mount, content, manifest, tags, referrers, delete, grammar,
errors, headers, catalog, login, integrity; also the beginning of a scenario, such as push.sha256.

Examples:
  zot compliance -H 127.0.0.1 -P 5000
  zot compliance https://registry.example.com --user ann --output report.html,report.json`,
    run: async (given, output) => {
      const { complianceCommand } = await import("./compliance.ts");
      return await complianceCommand(given, output);
    },
  },
  {
    name: "bench",
    arguments: [{ name: "url", required: false, says: "Registry: host:port, or an http(s) URL." }],
    options: benchOptions,
    summary: "Measure how fast a registry is, alone or against another",
    help: `
Pushes, pulls and lists content of its own, and removes it again. Single figures mean little on a
machine that does other things: --compare runs two registries in turn and prints ratios, and --pid adds
what the server itself spends. Exit status: 0 done, 1 with failed operations, 2 could not measure.

Examples:
  zot bench 127.0.0.1:8080 -c 16 -n 1000 --scenarios 'manifest|blob'
  zot bench 127.0.0.1:8080 --pid 4711 --compare 127.0.0.1:5000 --compare-pid 4712 --format html --output bench.html`,
    run: async (given, output) => {
      const { benchCommand } = await import("./bench.ts");
      return await benchCommand(given, output);
    },
  },
  {
    name: "openapi",
    arguments: [{ name: "config", required: false, says: configArgument }],
    options: [],
    summary: "Print the OpenAPI document of the HTTP API",
    help: `
The same that a registry with this configuration shows at /swagger/v2/, for generators of clients
and other tools. Without a configuration that of the defaults.

Example:
  zot openapi > zot.openapi.json`,
    run: async (given, output) => {
      const { openapi } = await import("./openapi.ts");
      return await openapi(given.arguments["config"] ?? null, output);
    },
  },
  {
    name: "worker",
    arguments: [],
    options: [],
    summary: "Serve one share of the requests, for 'zot serve'",
    help: "\nStarted by 'zot serve', never by hand.",
    hidden: true,
    run: async () => {
      const { workerCommand } = await import("./serve_command.ts");
      return await workerCommand();
    },
  },
];
