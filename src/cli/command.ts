// What a command is: a row of the table in `commands.ts`.
//
// Rows are data plus one function, which gets what the command line said and where to write, and
// returns the exit status: 0 done, 1 not done and the reason is on standard error. Only `main.ts`
// touches the process.

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

export interface Command {
  readonly name: string;
  readonly arguments: readonly CommandArgument[];
  readonly options: readonly CommandOption[];
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `help <command>` says: some sentences, then an example. */
  readonly help: string;
  /** true for commands that only the program itself calls. */
  readonly hidden?: boolean;
  readonly run: (given: Given, output: Output) => Promise<number>;
}
