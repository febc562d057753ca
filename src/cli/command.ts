// What a command is: a row of the table in `commands.ts`.
//
// Rows are data plus one function, which gets what the command line said and where to write, and
// returns the exit status: 0 done, 1 not done and the reason is on standard error, 2 a mistake on the
// command line. Only `main.ts` touches the process.

/** Exit status of a mistake on the command line, of every command. */
export const mistakeStatus = 2;

/** How an argument names standard input in place of a file. */
export const standardInput = "-";

/** Where a command writes. Texts end with a newline. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
  /** Whether standard output wants colour. */
  readonly colour: boolean;
  /** Width of the terminal in characters; undefined when there is none. */
  readonly columns: number | undefined;
}

export interface CommandArgument {
  readonly name: string;
  readonly required: boolean;
  readonly says: string;
  /** What a shell completes it with: names of files, or these words. */
  readonly completes?: "files" | readonly string[];
}

export interface CommandOption {
  /** As commander reads them: `-f, --format <name>`. */
  readonly flags: string;
  readonly says: string;
}

/** What the command line gave: arguments by name (null when left out), options by long name. */
export interface Given {
  readonly arguments: Readonly<Record<string, string | null>>;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A page of the manual, as `help_text.ts` prints it. Rows are a term and a sentence or two. */
export interface HelpPage {
  /** What the command does: paragraphs with an empty line between them. */
  readonly says: string;
  readonly signals?: readonly (readonly [string, string])[];
  readonly exitStatus: readonly (readonly [number, string])[];
  readonly environment?: readonly (readonly [string, string])[];
  readonly files?: readonly (readonly [string, string])[];
  /** Command lines. */
  readonly examples: readonly string[];
  /** Other commands, and pages of the repository. */
  readonly seeAlso: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly arguments: readonly CommandArgument[];
  readonly options: readonly CommandOption[];
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `help <command>` says. */
  readonly help: HelpPage;
  /** true for commands that only the program itself calls. */
  readonly hidden?: boolean;
  readonly run: (given: Given, output: Output) => Promise<number>;
}
