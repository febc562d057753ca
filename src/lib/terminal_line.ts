// A line of the log as a person at a terminal reads it: one line for each request, everything else as its message with
// its fields, and problems in full below it.
//
// What came from outside must not move the cursor or change colours: control characters are shown escaped.

/** Values longer than this get a line of their own. */
const inlineLengthMax = 100;
const indent = "    ";

interface Fields {
  readonly [name: string]: unknown;
}

/** Told otherwise, or of no use to people. */
const hidden: ReadonlySet<string> = new Set(["level", "time", "msg"]);

const colours = { dim: 2, red: 31, green: 32, yellow: 33 } as const;
type Colour = keyof typeof colours;
type Paint = (colour: Colour, text: string) => string;

/** Levels that are named. */
const colourOfLevel: Readonly<Record<string, Colour>> = {
  debug: "dim",
  warn: "yellow",
  error: "red",
  fatal: "red",
};

/** Makes text of a JSON line; both end with a newline. What is no JSON object stays as it is. */
export function terminalLine(line: string, isColoured: boolean): string {
  const fields = parsed(line);
  if (fields === null) return line;
  const paint: Paint = (colour, text) =>
    isColoured ? `\u001B[${colours[colour]}m${text}\u001B[0m` : text;
  const text = fields["msg"] === "request" ? requestText(fields, paint) : eventText(fields, paint);
  return `${paint("dim", timeOf(fields))} ${text}\n`;
}

/** `201 PUT /v2/team/app/manifests/1 ann 6 ms`; an error's name, its line and its cause follow. */
function requestText(fields: Fields, paint: Paint): string {
  const { status, method, path, who, durationMs, reason, error, cause, aborted } = fields;
  const colour = Number(status) >= 500 ? "red" : Number(status) >= 400 ? "yellow" : "green";
  const words = [
    paint(colour, shown(status)),
    shown(method),
    shown(path),
    who === null || who === undefined ? "-" : shown(who),
    duration(Number(durationMs)),
  ];
  if (reason !== undefined) words.push(paint(colour, shown(reason)));
  if (aborted === true) words.push("(the client went away)");
  const head = error === undefined ? words.join(" ") : `${words.join(" ")}: ${shown(error)}`;
  return cause === undefined ? head : head + below(null, cause);
}

function eventText(fields: Fields, paint: Paint): string {
  const { level, msg } = fields;
  const colour = colourOfLevel[String(level)];
  const head = colour === undefined ? "" : `${paint(colour, shown(level))}: `;
  const rows = Object.entries(fields).filter(
    ([name, value]) => !hidden.has(name) && value !== null && value !== undefined,
  );
  const inline = rows.filter(([, value]) => isShort(value));
  const long = rows.filter(([, value]) => !isShort(value));
  return [
    head + shown(msg),
    ...inline.map(([name, value]) => ` ${paint("dim", `${shown(name)}=`)}${quoted(value)}`),
    ...long.map(([name, value]) => below(name, value)),
  ].join("");
}

/** On lines of their own: each element of a list, and each line of a text. */
function below(name: string | null, value: unknown): string {
  const texts = (Array.isArray(value) ? value : [value]).flatMap((each) =>
    textOf(each).split("\n"),
  );
  const [first = "", ...rest] = texts.map(escaped);
  const head = name === null ? first : `${escaped(name)}: ${first}`;
  return [head, ...rest].map((text) => `\n${indent}${text}`).join("");
}

function isShort(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((each) => isShort(each) && !/\s/.test(textOf(each)));
  const text = textOf(value);
  return text.length <= inlineLengthMax && !text.includes("\n");
}

function quoted(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(",");
  const text = textOf(value);
  return /[\s"=]/.test(text) || text === "" ? escaped(JSON.stringify(text)) : escaped(text);
}

function shown(value: unknown): string {
  return escaped(textOf(value));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** Control characters, those of C1 and of the direction of writing included. */
function escaped(text: string): string {
  return text.replace(
    /[\u0000-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The time of this place, as clocks on a wall show it. */
function timeOf({ time }: Fields): string {
  const date = new Date(String(time));
  return Number.isNaN(date.getTime()) ? "--:--:--" : date.toTimeString().slice(0, 8);
}

function parsed(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
