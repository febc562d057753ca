/**
 * One statement in the place of several of one text: it takes all their values as arrays, and does to each set of them
 * what the text says.
 *
 * A statement costs the server and the client far more than a row more in one. What may be joined is told from the text,
 * and from which values have to differ (`JoinedText`); a text that is not understood is never joined.
 */
import { closing, portable } from "../sql/postgres_text.ts";

/** What a joined statement answers with. */
export type JoinedAnswer =
  /** Rows with a column `joined_at`: the place of their statement, from 1 on. */
  | "rows"
  /** A row of `joined_own` for each changed one, where `joined_own` is the value at `own`; or nothing. */
  | "changes";

export interface JoinedText {
  readonly answers: JoinedAnswer;
  /**
   * The number of the value that says whose rows it changes, from 1 on: in one statement each may stand once, since a row
   * is changed once by a statement. Null for reads, and where nothing tells: then there is no answer for each.
   */
  readonly own: number | null;
  /** What may be said of one row any number of times, where nobody asks how many it changed. */
  readonly repeats: boolean;
  /** The text for values of these types; with `changed` it answers. */
  of(types: readonly ColumnType[], changed: boolean): string;
}

/** Of a value in every set; `nothing` for null in all of them. */
export type ColumnType = "number" | "string" | "bytes" | "nothing";

/** Columns that say whose a row is: rows of two of them are never the same one. */
const owners = /^(?:repository|key|id)$/;
/** Tables whose rows are counted as they come and go: two changes of one row are no longer one. */
const counted = /^(?:repositories|blobs|manifests|tags|held_\w+|usage_\w+)$/;

/** Null for a text that is not joined. */
export function joinedText(text: string): JoinedText | null {
  const worded = numbered(portable(text));
  const valuesMax = Math.max(
    0,
    ...[...worded.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number)),
  );
  if (valuesMax === 0) return null;
  for (const read of [asSelect, asInsert, asUpdate, asDelete]) {
    const made = read(worded);
    if (made === null) continue;
    const { answers, own, idempotent, before, after, returning } = made;
    if (own === null && !idempotent && answers === "changes") return null;
    return {
      answers,
      own: own?.number ?? null,
      repeats: idempotent,
      of: (types, changed) => {
        const bound = (part: string): string =>
          part.replaceAll(/\?(\d+)/g, (_whole, number: string) =>
            types[Number(number) - 1] === "nothing" ? "NULL" : `joined.p${number}`,
          );
        const answer =
          changed && answers === "changes" ? ` RETURNING ${returning} AS joined_own` : "";
        return `${bound(before)}${given(types)}${bound(after)}${answer}`;
      },
    };
  }
  return null;
}

interface Own {
  readonly number: number;
  readonly column: string;
}

interface Made {
  readonly answers: JoinedAnswer;
  readonly own: Own | null;
  /** Said twice of a row it does what it does once. */
  readonly idempotent: boolean;
  /** Around the values. */
  readonly before: string;
  readonly after: string;
  readonly returning: string;
}

const arrays = { number: "bigint", string: "text", bytes: "bytea" } as const;

/** The values: an array of each that is not null in all sets, written as text. */
function given(types: readonly ColumnType[]): string {
  const columns = types.flatMap((type, at) =>
    type === "nothing" ? [] : [{ type, number: at + 1 }],
  );
  const values = columns.map(({ type }, at) => `CAST($${at + 1}::text AS ${arrays[type]}[])`);
  const names = columns.map(({ number }) => `p${number}`);
  return `unnest(${values.join(", ")}) WITH ORDINALITY AS joined(${[...names, "joined_at"].join(", ")})`;
}

/** Variables without a number get theirs. */
function numbered(text: string): string {
  let bare = 0;
  return text.replaceAll(
    /\?(\d*)/g,
    (_whole, digits: string) => `?${digits === "" ? (bare += 1) : digits}`,
  );
}

function asSelect(text: string): Made | null {
  if (!/^SELECT\b/.test(text) || /\bFOR (?:UPDATE|SHARE|NO KEY|KEY)\b/.test(text)) return null;
  return {
    answers: "rows",
    own: null,
    idempotent: true,
    before: "SELECT joined.joined_at, found.* FROM ",
    after: ` CROSS JOIN LATERAL (${text}) AS found`,
    returning: "",
  };
}

function asInsert(text: string): Made | null {
  const head = /^INSERT INTO (\w+) \(([\w, ]+)\) (?=VALUES \(|SELECT )/.exec(text);
  if (head === null || /\bRETURNING\b/.test(text)) return null;
  const [start, table = "", list = ""] = head;
  const columns = list.split(",").map((each) => each.trim());
  const conflictAt = text.indexOf(" ON CONFLICT", start.length);
  const [body, conflict] =
    conflictAt === -1
      ? [text.slice(start.length), ""]
      : [text.slice(start.length, conflictAt), text.slice(conflictAt)];
  if (conflict.includes("?")) return null;
  const select = body.startsWith("VALUES") ? valuesAsSelect(body) : body;
  if (select === null) return null;
  if (perAll.test(select)) return null;
  const ownAt = columns.findIndex((column) => owners.test(column));
  const own = ownAt === -1 ? null : ownOf(select, ownAt, columns[ownAt] ?? "");
  const { list: items, rest } = selectParts(select);
  const isFrom = rest.startsWith(" FROM ");
  // What has no place in the sources of a join.
  if (isFrom && !/^ FROM \w/.test(rest)) return null;
  return {
    answers: "changes",
    own,
    idempotent: conflict.endsWith("DO NOTHING") && !counted.test(table),
    before: `${start}SELECT ${items} FROM `,
    after: (isFrom ? ` CROSS JOIN ${rest.slice(" FROM ".length)}` : rest) + conflict,
    returning: own?.column ?? "",
  };
}

/** Of all rows of a query, which would be all sets at once. */
const perAll = /\b(?:LIMIT|GROUP BY|DISTINCT|UNION|HAVING)\b|\b(?:count|sum|max|min|string_agg)\(/;

/** What is selected, and from where on what condition. */
function selectParts(select: string): { readonly list: string; readonly rest: string } {
  const start = "SELECT ".length;
  for (let at = start; at < select.length; at += 1) {
    if (select[at] === "(") at = closing(select, at + 1).end;
    else if (/^ (?:FROM|WHERE) /.test(select.slice(at, at + 7))) {
      return { list: select.slice(start, at), rest: select.slice(at) };
    }
  }
  return { list: select.slice(start), rest: "" };
}

/** `VALUES (a, b)` as `SELECT a, b`; null for more than one row. */
function valuesAsSelect(body: string): string | null {
  const first = "VALUES (".length;
  const { end } = closing(body, first);
  return end === body.length - 1 ? `SELECT ${body.slice(first, end)}` : null;
}

/** Which value is the owner: the one in its place, or the one that a row is looked up by. */
function ownOf(select: string, at: number, column: string): Own | null {
  const placed = /^\?(\d+)$/.exec(selectParts(select).list.split(",")[at]?.trim() ?? "");
  const looked = placed ?? /\b(?:repository|key|id) = \?(\d+)/.exec(select);
  return looked === null ? null : { number: Number(looked[1]), column };
}

function asUpdate(text: string): Made | null {
  const parts = /^UPDATE (\w+) SET (.*?) WHERE (.*)$/.exec(text);
  if (parts === null || /\bRETURNING\b/.test(text)) return null;
  const [, table = "", changes = "", condition = ""] = parts;
  if (/\bFROM\b/.test(changes)) return null;
  const own = ownIn(condition);
  return {
    answers: "changes",
    own,
    idempotent: false,
    before: `UPDATE ${table} SET ${changes} FROM `,
    after: ` WHERE ${condition}`,
    returning: own === null ? "" : `${table}.${own.column}`,
  };
}

function asDelete(text: string): Made | null {
  const parts = /^DELETE FROM (\w+) WHERE (.*)$/.exec(text);
  if (parts === null || /\bRETURNING\b/.test(text)) return null;
  const [, table = "", condition = ""] = parts;
  const own = ownIn(condition);
  return {
    answers: "changes",
    own,
    idempotent: !counted.test(table),
    before: `DELETE FROM ${table} USING `,
    after: ` WHERE ${condition}`,
    returning: own === null ? "" : `${table}.${own.column}`,
  };
}

/** At the beginning of a condition, where it holds for all of it. */
function ownIn(condition: string): Own | null {
  const found = /^(repository|key|id) = \?(\d+)(?= AND |$)/.exec(condition);
  if (found === null || / OR /.test(condition.replaceAll(/\([^()]*\)/g, ""))) return null;
  return { number: Number(found[2]), column: found[1] ?? "" };
}
