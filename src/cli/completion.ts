// `zot completion`: scripts by which shells complete the command line, printed from the table of commands.

import type { Command, CommandArgument, Output } from "./command.ts";

/** What can stand in one place: a file, one of some words, or anything. */
type Place = CommandArgument["completes"];

interface Option {
  readonly names: readonly string[];
  readonly says: string;
  /** What stands behind it; null for a switch. */
  readonly value: { readonly place: Place } | null;
}

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  readonly places: readonly Place[];
}

const help: Option = { names: ["-h", "--help"], says: "explain the command", value: null };

export const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Prints the script of a shell. Returns the exit status. */
export function completion(shell: string, table: readonly Command[], output: Output): number {
  if (!Object.hasOwn(shells, shell)) {
    const names = Object.keys(shells).join(", ");
    output.error(`zot: expected a shell, one of ${names}, got '${shell}'\n`);
    return 2;
  }
  output.out(shells[shell as keyof typeof shells](described(table)));
  return 0;
}

function described(table: readonly Command[]): Described[] {
  const shown = table.filter(({ hidden }) => hidden !== true);
  const commands = shown.map(({ name, summary, options, arguments: places }) => ({
    name,
    summary,
    options: [...options.map(optionOf), help],
    places: places.map(({ completes }) => completes),
  }));
  const names = commands.map(({ name }) => name);
  return [
    ...commands,
    { name: "help", summary: "Explain a command", options: [], places: [names] },
  ];
}

/** `-f, --format <name>`: what stands in brackets is a file where it is called so. */
function optionOf({ flags, says }: Command["options"][number]): Option {
  const [, names = "", value] = /^([^<[]+?)(?: [<[]([^>\]]+)[>\]])?$/.exec(flags) ?? [];
  const isFile = value !== undefined && /^files?$/.test(value);
  return {
    names: names.split(", "),
    says,
    value: value === undefined ? null : { place: isFile ? "files" : undefined },
  };
}

const topOptions = ["--help", "--version"];

/** For bash 4 and newer, without the package bash-completion. */
function bashScript(commands: readonly Described[]): string {
  return `# Completion of zot for bash, made by 'zot completion bash'.
_zot() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]}
  local options= valued=' ' files=' ' places=() place= at=0 i word
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '${[...commands.map(({ name }) => name), ...topOptions].join(" ")}' -- "$cur")
    return
  fi
  case $command in
${commands.map(bashCase).join("\n")}
    *) return ;;
  esac
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $valued == *" $word "* ]]; then i=$((i + 1)); continue; fi
    if [[ $word != -?* ]]; then at=$((at + 1)); fi
  done
  word=\${COMP_WORDS[COMP_CWORD - 1]}
  if [[ $files == *" $word "* ]]; then place=files
  elif [[ $valued == *" $word "* ]]; then return
  elif [[ $cur == -* ]]; then place=$options
  else place=\${places[at]-}
  fi
  if [ "$place" = files ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$place" -- "$cur")
  fi
}
complete -F _zot zot
`;
}

function bashCase({ name, options, places }: Described): string {
  const valued = options.filter(({ value }) => value !== null);
  const files = valued.filter(({ value }) => value?.place === "files");
  const namesOf = (list: readonly Option[]): string => list.flatMap(({ names }) => names).join(" ");
  const shown = places.map((place) => `'${wordsOf(place)}'`);
  return [
    `    ${name})`,
    `      options='${namesOf(options)}' places=(${shown.join(" ")})`,
    `      valued=' ${namesOf(valued)} ' files=' ${namesOf(files)} ' ;;`,
  ].join("\n");
}

function wordsOf(place: Place): string {
  if (place === undefined) return "";
  return place === "files" ? place : place.join(" ");
}

function zshScript(commands: readonly Described[]): string {
  const names = commands.map(({ name, summary }) => `    ${zshQuoted(`${name}:${summary}`)}`);
  return `#compdef zot
# Completion of zot for zsh, made by 'zot completion zsh': a file _zot in a directory of $fpath.
_zot() {
  local -a commands=(
${names.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${commands.map(zshCase).join("\n")}
  esac
}
if [[ $funcstack[1] == _zot ]]; then _zot "$@"; else compdef _zot zot; fi
`;
}

function zshCase({ name, options, places }: Described): string {
  const specs = [
    ...options.flatMap(({ names, says, value }) =>
      names.map((flag) => {
        const behind = value === null ? "" : `:value:${zshAction(value.place)}`;
        return `${flag}[${says.replace(/[[\]:\\]/g, "\\$&")}]${behind}`;
      }),
    ),
    ...places.map((place, at) => `${at + 1}:argument:${zshAction(place)}`),
  ];
  return `    ${name}) _arguments ${specs.map(zshQuoted).join(" ")} ;;`;
}

function zshAction(place: Place): string {
  if (place === undefined) return " ";
  return place === "files" ? "_files" : `(${place.join(" ")})`;
}

function zshQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishScript(commands: readonly Described[]): string {
  const top = commands.map(
    ({ name, summary }) =>
      `complete -c zot -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`,
  );
  return `${[
    "# Completion of zot for fish, made by 'zot completion fish'.",
    "complete -c zot -f",
    "complete -c zot -n __fish_use_subcommand -l version -d 'show versions'",
    ...top,
    ...commands.flatMap(fishLines),
  ].join("\n")}\n`;
}

function fishLines({ name, options, places }: Described): string[] {
  const when = `complete -c zot -n '__fish_seen_subcommand_from ${name}'`;
  const flags = options.map(({ names, says, value }) => {
    const words = names.map((flag) =>
      flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
    );
    const behind = value === null ? "" : value.place === "files" ? " -r -F" : " -x";
    return `${when} ${words.join(" ")}${behind} -d ${fishQuoted(says)}`;
  });
  // Which place the cursor is in is not told to fish: what any of them takes is offered.
  const words = places.flatMap((place) => (Array.isArray(place) ? (place as string[]) : []));
  const offered = words.length === 0 ? [] : [`${when} -a ${fishQuoted(words.join(" "))}`];
  return [...flags, ...offered, ...(places.includes("files") ? [`${when} -F`] : [])];
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
