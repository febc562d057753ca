// Where a JSON text is wrong: the position and the sentence that the runtime's parser keeps back.
//
// Also finds what that parser lets pass: a key that is written twice (the first would be ignored in
// silence) and nesting without end. It only checks; values are left to JSON.parse. Texts here are
// configuration files that a person wrote, so clarity of the answer counts more than speed.

/** What is wrong, and where: `line` and `column` count from 1. */
export interface SyntaxProblem {
  readonly line: number;
  readonly column: number;
  /** `expected …, got …` */
  readonly says: string;
}

const depthMax = 64;
const blank = /[ \t\r\n]*/y;
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Returns the first problem of the text, or null when it is JSON without repeated keys. */
export function findJsonProblem(text: string): SyntaxProblem | null {
  const reader = new Reader(text);
  try {
    reader.value(0);
    reader.end();
    return null;
  } catch (problem) {
    if (problem instanceof Stop) return { ...position(text, problem.at), says: problem.message };
    throw problem;
  }
}

/** Ends the reading at an offset; never leaves this file. */
class Stop extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Reads values one after the other; each method stands behind what it read when it returns. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): void {
    if (depth > depthMax) throw new Stop(this.#at, `expected at most ${depthMax} levels`);
    if (this.#take("{")) this.#object(depth);
    else if (this.#take("[")) this.#array(depth);
    else if (this.#match(string) === null && this.#match(scalar) === null) this.#stop("a value");
  }

  end(): void {
    this.#match(blank);
    if (this.#at < this.#text.length) this.#stop("the end of the file");
  }

  #object(depth: number): void {
    const seen = new Set<string>();
    if (this.#take("}")) return;
    do {
      this.#match(blank);
      const at = this.#at;
      const key = this.#match(string);
      if (key === null) this.#stop("a key in double quotes");
      if (seen.has(key)) throw new Stop(at, `expected each key once, got ${key} again`);
      seen.add(key);
      if (!this.#take(":")) this.#stop(`":" after ${key}`);
      this.value(depth + 1);
    } while (this.#take(","));
    if (!this.#take("}")) this.#stop(`"," or "}"`);
  }

  #array(depth: number): void {
    if (this.#take("]")) return;
    do this.value(depth + 1);
    while (this.#take(","));
    if (!this.#take("]")) this.#stop(`"," or "]"`);
  }

  #take(mark: string): boolean {
    this.#match(blank);
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #stop(expected: string): never {
    this.#match(blank);
    const rest = this.#text.slice(this.#at);
    const word = /^(?:[\w.+-]+|.)/su.exec(rest)?.[0] ?? "";
    const got = word === "" ? "the end of the file" : JSON.stringify(word.slice(0, 20));
    throw new Stop(this.#at, `expected ${expected}, got ${got}`);
  }
}

function position(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
