// From what a person typed to a command's run: parsing, help, and one line for each mistake.
//
// The table in `commands.ts` says what there is; commander reads the command line. What commander
// says of a mistake is made one line with a way out, and a command that does not exist is answered
// with the nearest that does. Returns exit statuses, and leaves the process to `main.ts`.

import { Command as Program, CommanderError } from "commander";
import { nearest } from "../lib/nearest.ts";
import { mistakeStatus, type Command, type Output } from "./command.ts";
import { commands } from "./commands.ts";
import { programPage } from "./help_pages.ts";
import { helpText, type HelpStyle } from "./help_text.ts";
import { versionText } from "./version.ts";

const introduction = `A registry for container images and other OCI artifacts.
Every repository is an ordinary OCI image layout on disk, readable by any OCI tool.`;

const helpWidthMin = 60;
/** Longer lines are hard to read, however wide the terminal. */
const helpWidthMax = 100;

const examples = `
Examples:
  Serve to this machine, and push an image to it from another terminal:
    zot serve
    skopeo copy --dest-tls-verify=false oci:image docker://127.0.0.1:8080/demo:1
  Check a configuration, then serve it:
    zot verify config.yaml && zot serve config.yaml`;

/** Runs one command line, without the program's name. Returns the exit status. */
export async function runCommandLine(argv: readonly string[], output: Output): Promise<number> {
  const words = normalised(argv);
  const [first = ""] = words;
  if (!first.startsWith("-") && !commands.some((command) => command.name === first)) {
    output.error(`zot: ${unknownCommand(first)}\n`);
    return mistakeStatus;
  }
  let status = 0;
  const program = buildProgram(output, (code) => {
    status = code;
  });
  try {
    await program.parseAsync(words, { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    output.error(`zot: ${oneLine(error.message, first)}\n`);
    return mistakeStatus;
  }
}

/** `zot` alone and `zot help [command]` are other ways to ask for help. */
function normalised(argv: readonly string[]): readonly string[] {
  const [first, second] = argv;
  if (first === undefined) return ["--help"];
  if (first !== "help") return argv;
  return second === undefined || second === "help" ? ["--help"] : [second, "--help"];
}

function unknownCommand(name: string): string {
  const names = commands.filter((command) => command.hidden !== true).map(({ name }) => name);
  const near = nearest(name, [...names, "help"]);
  const advice = near === null ? "see 'zot --help'" : `did you mean ${near}?`;
  return `expected a command, got '${name}'; ${advice}`;
}

/** Commander puts its suggestion in brackets on a line of its own, and speaks of "error:". */
function oneLine(message: string, command: string): string {
  const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
  const help = command.startsWith("-") ? "zot --help" : `zot help ${command}`;
  const advice = suggestion === undefined ? `see '${help}'` : suggestion.slice(1, -1);
  return `${what.replace(/\.$/, "")}; ${advice.replace(/^D/, "d")}`;
}

function buildProgram(output: Output, done: (status: number) => void): Program {
  const program = new Program("zot")
    .description(introduction)
    .usage("<command> [options]")
    .option("-v, --version", "show the versions of zot and of what it is made of")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "Explain a command")
    .addHelpText("after", `${examples}\n${helpText(programPage, helpStyle(output))}`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(text),
      writeErr: (text) => output.error(text),
      outputError: () => {}, // Thrown as well, and worded in `oneLine`.
      getOutHasColors: () => output.colour,
      getErrHasColors: () => false,
      getOutHelpWidth: () => helpWidth(output),
    })
    .configureHelp({ styleTitle: bold, subcommandTerm });
  program.on("option:version", () => {
    output.out(versionText());
    throw new CommanderError(0, "zot.version", "");
  });
  for (const command of commands) addCommand(program, command, { output, done });
  return program;
}

/** Commander takes colours out where they are not wanted, but of what follows its own text. */
function helpStyle(output: Output): HelpStyle {
  return { width: helpWidth(output), title: output.colour ? bold : (text) => text };
}

function helpWidth({ columns }: Output): number {
  return Math.max(helpWidthMin, Math.min(columns ?? helpWidthMax, helpWidthMax));
}

function bold(text: string): string {
  return `\u001B[1m${text}\u001B[22m`;
}

/** A command in the list: its name and first arguments, so that the summaries beside it fit their lines. */
function subcommandTerm(command: Program): string {
  const shown = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const rest = shown.length > 2 ? [shown[0] ?? "", "..."] : shown;
  return [command.name(), ...rest].join(" ");
}

function addCommand(
  program: Program,
  command: Command,
  to: { output: Output; done: (status: number) => void },
): void {
  const added = program
    .command(command.name, { hidden: command.hidden === true })
    .summary(command.summary)
    .description(`${command.summary}.\n\n${command.help.says}`)
    .addHelpText("after", helpText(command.help, helpStyle(to.output)));
  for (const { name, required, says } of command.arguments) {
    added.argument(required ? `<${name}>` : `[${name}]`, says);
  }
  for (const { flags, says } of command.options) added.option(flags, says);
  added.action(async () => {
    const values = command.arguments.map(({ name }, at) => [name, added.args[at] ?? null] as const);
    const given = { arguments: Object.fromEntries(values), options: added.opts() };
    to.done(await command.run(given, to.output));
  });
}
