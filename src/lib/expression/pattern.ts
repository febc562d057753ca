/**
 * Regular expressions whose time grows with the text and never faster: the text is walked once, with all places
 * of the pattern that are reached kept side by side (Thompson's construction), so nothing is tried twice.
 *
 * The runtime's own expressions try again and again: `(a+)+$` takes seconds on thirty characters, and past a limit
 * they answer "does not match", which would make a negated condition hold.
 * A test costs at most `size` comparisons for each character, and reports how many it made as it goes. Characters are
 * code points. `parse_pattern.ts` reads the syntax.
 */
import { unreachable } from "../assert.ts";
import {
  foldings,
  parsePatternText,
  type CharSet,
  type Edge,
  type PatternNode,
} from "./parse_pattern.ts";
import { ExpressionProblem } from "./tokens.ts";

interface One {
  readonly op: "one";
  readonly set: CharSet;
}

/** Goes on at several places at once. */
interface Fork {
  readonly op: "fork";
  readonly to: number[];
}

type Instruction =
  | One
  | Fork
  | { readonly op: "edge"; readonly edge: Edge }
  /** Where the group that is asked for begins and ends. */
  | { readonly op: "mark"; readonly side: "start" | "end" }
  | { readonly op: "found" };

type Program = readonly Instruction[];

export interface Pattern {
  /** Comparisons that one character of a text can take. */
  readonly size: number;
  /** Whether any part of the text fits. `onWork` hears of comparisons soon after they were made, and may throw. */
  readonly test: (text: string, onWork?: (comparisons: number) => void) => boolean;
}

const instructionsMax = 1000;
/** Comparisons that are told of together. */
const toldAtOnce = 1024;

/** @throws ExpressionProblem when it is none, or too large. */
export function parsePattern(source: string): Pattern {
  const program: Instruction[] = [];
  emit(program, parsePatternText(source));
  push(program, { op: "found" });
  const sizes = program.map((each) => (each.op === "one" ? sizeOf(each.set) : 1));
  return {
    size: sizes.reduce((sum, size) => sum + size, 0),
    test: (text, onWork = () => {}) => new Walk(program, sizes, text, onWork).run(),
  };
}

/**
 * What the first group of a pattern takes of a text: null where the pattern does not fit, the whole fit where it has no
 * group, "" for a group that took no part. As RE2 has it: the leftmost fit, and of its ways the first.
 * @throws ExpressionProblem when it is none, or too large.
 */
export function parseCapture(source: string): (text: string) => string | null {
  const program: Instruction[] = [];
  const node = parsePatternText(source, true);
  emit(program, node);
  push(program, { op: "found" });
  return (text) => capture(program, Array.from(text));
}

/** A place in the program and in the text, and where the group began and ended on the way there. */
interface Step {
  readonly place: number;
  readonly at: number;
  readonly start: number | null;
  readonly end: number | null;
}

/** Depth first, and each place at each character once: what failed from there fails again. */
function capture(program: Program, chars: readonly string[]): string | null {
  const codes = chars.map((char) => char.codePointAt(0) ?? 0);
  const hasGroup = program.some(({ op }) => op === "mark");
  const seen = new Uint8Array(program.length * (codes.length + 1));
  for (let from = 0; from <= codes.length; from += 1) {
    const steps: Step[] = [{ place: 0, at: from, start: null, end: null }];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { place, at } = step;
      const instruction = program[place];
      const key = place * (codes.length + 1) + at;
      if (instruction === undefined || seen[key] === 1) continue;
      seen[key] = 1;
      if (instruction.op === "found") {
        const [start, end] = hasGroup ? [step.start ?? 0, step.end ?? 0] : [from, at];
        return chars.slice(start, end).join("");
      }
      steps.push(...nextSteps(instruction, step, codes));
    }
  }
  return null;
}

/** The last of them is taken first. */
function nextSteps(
  instruction: Exclude<Instruction, { op: "found" }>,
  step: Step,
  codes: readonly number[],
): readonly Step[] {
  const { place, at } = step;
  const code = codes[at];
  switch (instruction.op) {
    case "fork":
      return instruction.to.map((to) => ({ ...step, place: to })).reverse();
    case "mark":
      return [{ ...step, place: place + 1, [instruction.side]: at }];
    case "edge":
      return isAt(instruction.edge, codes[at - 1], code) ? [{ ...step, place: place + 1 }] : [];
    case "one":
      return code !== undefined && isIn(instruction.set, code, foldings(code))
        ? [{ ...step, place: place + 1, at: at + 1 }]
        : [];
    default:
      return unreachable(instruction);
  }
}

function sizeOf({ ranges, fold }: CharSet): number {
  return 1 + ranges.length * (fold ? 3 : 1);
}

function push(program: Instruction[], instruction: Instruction): void {
  if (program.length >= instructionsMax) {
    throw new ExpressionProblem(`a regular expression of up to ${instructionsMax} steps`);
  }
  program.push(instruction);
}

function pushFork(program: Instruction[], ...to: number[]): Fork {
  const fork: Fork = { op: "fork", to };
  push(program, fork);
  return fork;
}

function emit(program: Instruction[], node: PatternNode): void {
  switch (node.kind) {
    case "one":
      push(program, { op: "one", set: node.set });
      return;
    case "edge":
      push(program, { op: "edge", edge: node.edge });
      return;
    case "sequence":
      for (const item of node.items) emit(program, item);
      return;
    case "choice":
      emitChoice(program, node.options);
      return;
    case "repeat":
      emitRepeat(program, node);
      return;
    case "group":
      push(program, { op: "mark", side: "start" });
      emit(program, node.of);
      push(program, { op: "mark", side: "end" });
      return;
    default:
      unreachable(node);
  }
}

function emitChoice(program: Instruction[], options: readonly PatternNode[]): void {
  const [only] = options;
  if (only !== undefined && options.length === 1) {
    emit(program, only);
    return;
  }
  const fork = pushFork(program);
  const ends = options.map((option) => {
    fork.to.push(program.length);
    emit(program, option);
    return pushFork(program);
  });
  for (const end of ends) end.to.push(program.length);
}

function emitRepeat(
  program: Instruction[],
  { of, least, most, isLazy }: Extract<PatternNode, { kind: "repeat" }>,
): void {
  for (let count = 0; count < least; count += 1) {
    const before = program.length;
    emit(program, of);
    // Nothing, a thousand times, in each of many levels, would be emitted for hours.
    if (program.length === before) return;
  }
  if (most === Infinity) {
    const start = program.length;
    const fork = pushFork(program, start + 1);
    emit(program, of);
    pushFork(program, start);
    fork.to.push(program.length);
    if (isLazy) fork.to.reverse();
    return;
  }
  const forks = Array.from({ length: most - least }, () => {
    const fork = pushFork(program, program.length + 1);
    emit(program, of);
    return fork;
  });
  for (const fork of forks) {
    fork.to.push(program.length);
    if (isLazy) fork.to.reverse();
  }
}

/** One text along one program. */
class Walk {
  readonly #program: Program;
  readonly #sizes: readonly number[];
  readonly #onWork: (comparisons: number) => void;
  #untold = 0;
  readonly #codes: readonly number[];
  /** Whether any set takes upper and lower case for the same. */
  readonly #folds: boolean;
  /** The last position at which each instruction was reached, so that it is followed once. */
  readonly #reachedAt: Int32Array;

  constructor(
    program: Program,
    sizes: readonly number[],
    text: string,
    onWork: (comparisons: number) => void,
  ) {
    this.#program = program;
    this.#sizes = sizes;
    this.#onWork = onWork;
    this.#codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
    this.#folds = program.some((each) => each.op === "one" && each.set.fold);
    this.#reachedAt = new Int32Array(program.length).fill(-1);
  }

  run(): boolean {
    const fits = this.#walk();
    this.#onWork(this.#untold);
    return fits;
  }

  #walk(): boolean {
    let places: number[] = [];
    for (let at = 0; at <= this.#codes.length; at += 1) {
      const starts = this.#after(places, at - 1);
      // A fit may begin anywhere.
      starts.push(0);
      const next = this.#reach(starts, at);
      if (next === null) return true;
      places = next;
      if (this.#untold >= toldAtOnce) this.#tell();
    }
    return false;
  }

  #tell(): void {
    this.#onWork(this.#untold);
    this.#untold = 0;
  }

  /** Where the character at a position leads from places that wait for one. */
  #after(places: readonly number[], at: number): number[] {
    const code = this.#codes[at];
    if (code === undefined) return [];
    const folded = this.#folds ? foldings(code) : [code];
    const starts: number[] = [];
    for (const place of places) {
      const instruction = this.#program[place];
      this.#untold += this.#sizes[place] ?? 1;
      if (instruction?.op === "one" && isIn(instruction.set, code, folded)) starts.push(place + 1);
    }
    return starts;
  }

  /** Every place that waits for a character and is reached from some; null when the end is reached. */
  #reach(starts: number[], at: number): number[] | null {
    const waiting: number[] = [];
    for (let place = starts.pop(); place !== undefined; place = starts.pop()) {
      const instruction = this.#program[place];
      this.#untold += 1;
      if (instruction === undefined || this.#reachedAt[place] === at) continue;
      this.#reachedAt[place] = at;
      if (instruction.op === "found") return null;
      if (instruction.op === "one") waiting.push(place);
      else if (instruction.op === "fork") starts.push(...instruction.to);
      else if (instruction.op === "mark") starts.push(place + 1);
      else if (isAt(instruction.edge, this.#codes[at - 1], this.#codes[at])) starts.push(place + 1);
    }
    return waiting;
  }
}

function isIn(
  { ranges, negated, fold }: CharSet,
  code: number,
  folded: readonly number[],
): boolean {
  const found = fold ? folded.some((each) => isWithin(ranges, each)) : isWithin(ranges, code);
  return found !== negated;
}

function isWithin(ranges: CharSet["ranges"], code: number): boolean {
  for (const [first, last] of ranges) if (code >= first && code <= last) return true;
  return false;
}

const newline = 10;

function isAt(edge: Edge, before: number | undefined, after: number | undefined): boolean {
  switch (edge) {
    case "start":
      return before === undefined;
    case "end":
      return after === undefined;
    case "lineStart":
      return before === undefined || before === newline;
    case "lineEnd":
      return after === undefined || after === newline;
    case "word":
      return isWord(before) !== isWord(after);
    case "notWord":
      return isWord(before) === isWord(after);
    default:
      return unreachable(edge);
  }
}

function isWord(code: number | undefined): boolean {
  return code !== undefined && /^\w$/.test(String.fromCodePoint(code));
}
