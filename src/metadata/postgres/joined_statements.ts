/**
 * The statements of several commits on one connection, a round at a time: what all of them ask next is sent together, and
 * statements of one text are sent as one (`join_text.ts`).
 *
 * Each commit, or chain of them, has a line of its own, in which its statements keep their order. A round goes when every
 * line waits for an answer or has ended, so that commits of one kind go in step. Lines must not see each other's rows.
 */
import { must } from "../../lib/assert.ts";
import type { Answer, Row, Statement, Value } from "../sql/statements.ts";
import { joinedText, type ColumnType, type JoinedText } from "./join_text.ts";
import type { Ask } from "./postgres_connections.ts";

/** Statements of a line that wait for a round; then the line waits, too. */
const untoldMax = 256;
/** Statements that are joined into one. */
const joinedMax = 256;
/** Texts of which it is remembered how they are joined: ours are fixed, and some hundreds. */
const textsMax = 2_048;

interface Waiting {
  readonly statement: Statement;
  /** Null for one whose answer nobody waits for. */
  readonly answered: { resolve(answer: Answer): void; reject(cause: unknown): void } | null;
}

/** Statements of one text: one after all where they are joined, and otherwise the same one several times. */
interface Group {
  readonly joined: JoinedText | null;
  readonly members: readonly Waiting[];
}

/** What one commit, or a chain of them, says. */
export interface Line {
  readonly ask: (statement: Statement) => Promise<Answer>;
  /** A promise where so much waits that the next one has to wait for a round. */
  readonly tell: (statement: Statement) => Promise<void> | null;
  /** It says nothing more. */
  end(): void;
}

interface OpenLine {
  readonly queue: Waiting[];
  /** Goes on when the round is done. */
  isBlocked: boolean;
  /** Those that wait for room in the queue. */
  room: (() => void) | null;
}

/** How texts are joined, each found out once. */
export class JoinedTexts {
  readonly #texts = new Map<string, JoinedText | null>();

  of(text: string): JoinedText | null {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const made = joinedText(text);
    if (this.#texts.size < textsMax) this.#texts.set(text, made);
    return made;
  }
}

export class JoinedStatements {
  readonly #ask: Ask;
  readonly #texts: JoinedTexts;
  readonly #lines = new Set<OpenLine>();
  /** Of lines that ended. */
  readonly #left: Waiting[][] = [];
  #sent: Promise<void>[] = [];
  #failure: { readonly cause: unknown } | null = null;

  constructor(ask: Ask, texts: JoinedTexts) {
    this.#ask = ask;
    this.#texts = texts;
  }

  open(): Line {
    const line: OpenLine = { queue: [], isBlocked: false, room: null };
    this.#lines.add(line);
    return {
      ask: (statement) =>
        new Promise((resolve, reject) => {
          line.queue.push({ statement, answered: { resolve, reject } });
          this.#block(line);
        }),
      tell: (statement) => {
        line.queue.push({ statement, answered: null });
        if (line.queue.length < untoldMax) return null;
        return new Promise((resolve) => {
          line.room = resolve;
          this.#block(line);
        });
      },
      end: () => {
        this.#lines.delete(line);
        if (line.queue.length > 0) this.#left.push(line.queue);
        this.#goOn();
      },
    };
  }

  /** Sends what is left, and waits for all. @throws what the first of them failed with. */
  async settle(): Promise<void> {
    this.#round();
    while (this.#sent.length > 0) await Promise.all(this.#sent.splice(0));
    if (this.#failure !== null) throw this.#failure.cause;
  }

  #block(line: OpenLine): void {
    line.isBlocked = true;
    this.#goOn();
  }

  #goOn(): void {
    const lines = [...this.#lines];
    if (lines.length > 0 && lines.every(({ isBlocked }) => isBlocked)) this.#round();
  }

  #round(): void {
    const lines = [...this.#lines];
    const queues = [...this.#left.splice(0), ...lines.map(({ queue }) => queue.splice(0))];
    // Lines go on by the answers of this round: those without one wait for room alone.
    const resumed = lines.filter(({ isBlocked }) => isBlocked);
    for (const line of resumed) line.isBlocked = false;
    for (const group of inGroups(queues, this.#texts)) this.#sent.push(this.#send(group));
    for (const line of resumed) {
      line.room?.();
      line.room = null;
    }
  }

  async #send(group: Group): Promise<void> {
    try {
      const answers = await answersTo(this.#ask, group);
      for (const [at, { answered }] of group.members.entries()) {
        answered?.resolve(must(answers[at], "every statement has an answer"));
      }
    } catch (cause) {
      this.#failure ??= { cause };
      for (const { answered } of group.members) answered?.reject(cause);
    }
  }
}

/** What each queue says, in its order; statements of one text that may be one stand together. */
function* inGroups(queues: Waiting[][], texts: JoinedTexts): Iterable<Group> {
  const places = queues.map(() => 0);
  for (;;) {
    const heads = new Map<string, number[]>();
    for (const [index, queue] of queues.entries()) {
      const head = queue[must(places[index], "each queue has a place")];
      if (head === undefined) continue;
      const of = heads.get(head.statement.text);
      if (of === undefined) heads.set(head.statement.text, [index]);
      else of.push(index);
    }
    const [first, ...others] = heads.entries();
    if (first === undefined) return;
    // The one that most of them say next: others catch up with those that are behind.
    const [text, indexes] = others.reduce(
      (most, each) => (each[1].length > most[1].length ? each : most),
      first,
    );
    const joined = texts.of(text);
    const taken: Waiting[] = [];
    for (const index of indexes) {
      const queue = must(queues[index], "it has a head");
      const from = must(places[index], "each queue has a place");
      const run = mayRepeat(joined) ? runOf(queue, from) : 1;
      taken.push(...queue.slice(from, from + run));
      places[index] = from + run;
    }
    yield* apart(joined, taken);
  }
}

/** Whether a line may say it several times in one statement. */
function mayRepeat(joined: JoinedText | null): boolean {
  return joined !== null && joined.repeats;
}

/** How many statements from a place on have one text, and no answer that is waited for. */
function runOf(queue: readonly Waiting[], from: number): number {
  const text = queue[from]?.statement.text;
  let at = from;
  while (queue[at]?.statement.text === text && queue[at]?.answered === null) at += 1;
  return Math.max(1, at - from);
}

/** Those that may be one statement. */
function* apart(joined: JoinedText | null, taken: readonly Waiting[]): Iterable<Group> {
  if (joined === null) {
    if (taken[0]?.statement.values.length === 0 && taken[0].statement.text.startsWith("SELECT")) {
      yield { joined, members: taken };
    } else for (const each of taken) yield { joined, members: [each] };
    return;
  }
  const groups: {
    readonly members: Waiting[];
    readonly types: string;
    readonly seen: Set<unknown>;
  }[] = [];
  for (const each of taken) {
    const { values } = each.statement;
    const types = `${values.map(typeOf).join()} ${each.answered === null ? "told" : "asked"}`;
    const seen = mustDiffer(joined, each);
    const group = groups.find(
      (one) =>
        one.types === types &&
        one.members.length < joinedMax &&
        seen.every((value) => !one.seen.has(value)),
    );
    if (group === undefined) groups.push({ members: [each], types, seen: new Set(seen) });
    else {
      group.members.push(each);
      for (const value of seen) group.seen.add(value);
    }
  }
  for (const { members } of groups) yield { joined, members };
}

/** Content is counted once however many repositories have it: rows of one digest have to see each other. */
const digest = /^sha(?:256|512):/;

/** Nothing tells how many rows each of them would have changed. */
const alone = Symbol("alone");

function mustDiffer(
  { answers, own, repeats }: JoinedText,
  { statement: { values }, answered }: Waiting,
): readonly unknown[] {
  if (answers === "rows" || (repeats && answered === null)) return [];
  if (own === null) return [alone];
  const digests = values.filter((value) => typeof value === "string" && digest.test(value));
  return [values[own - 1] ?? null, ...digests];
}

async function answersTo(ask: Ask, { joined, members: group }: Group): Promise<Answer[]> {
  const [first] = group;
  const { statement } = must(first, "a group has a statement");
  if (joined === null || group.length === 1) {
    const answer = await ask(statement);
    return group.map(() => answer);
  }
  const types = statement.values.map(typeOf);
  const isAsked = group.some(({ answered }) => answered !== null);
  const text = joined.of(types, isAsked);
  const values = types.flatMap((type, at) =>
    type === "nothing"
      ? []
      : [
          arrayOf(
            type,
            group.map((each) => each.statement.values[at] ?? null),
          ),
        ],
  );
  const { rows } = await ask({ text, values, isOwn: true });
  return joined.answers === "rows" ? byPlace(rows, group.length) : byOwner(rows, joined, group);
}

function byPlace(rows: readonly Row[], count: number): Answer[] {
  const answers = Array.from({ length: count }, () => [] as Row[]);
  for (const { joined_at: at, ...row } of rows) {
    must(answers[Number(at) - 1], "a row says whose it is").push(row);
  }
  return answers.map((each) => ({ rows: each, changes: each.length }));
}

function byOwner(rows: readonly Row[], { own }: JoinedText, group: readonly Waiting[]): Answer[] {
  const counts = new Map<string, number>();
  for (const { joined_own: owner } of rows) {
    counts.set(String(owner), (counts.get(String(owner)) ?? 0) + 1);
  }
  return group.map(({ statement }) => {
    const owner = own === null ? null : statement.values[own - 1];
    return { rows: [], changes: counts.get(String(owner)) ?? 0 };
  });
}

function typeOf(value: Value): ColumnType {
  if (value === null) return "nothing";
  if (typeof value === "number") return "number";
  return typeof value === "string" ? "string" : "bytes";
}

/** As PostgreSQL writes arrays. */
function arrayOf(type: ColumnType, values: readonly Value[]): string {
  if (type === "number") return `{${values.join(",")}}`;
  const texts = values.map((value) =>
    value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : String(value),
  );
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`;
}
