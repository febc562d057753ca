// TABLE of commands. Help, the check of what a person typed, and the reference follow from it.
//
// A row names its work and loads it when it is called, so that `zot --version` does not pay for a
// server: nothing but types may be imported at the top of this file.

import type { Command } from "./command.ts";

const configArgument = "Configuration file in zot's dialect, JSON or YAML.";

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
