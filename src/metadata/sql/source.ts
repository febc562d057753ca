/** What reads ask: a database that answers at once, or one that answers later. */
import type { Engine, Rule, Value } from "./statements.ts";

export type Later<T> = T | Promise<T>;

export interface Source {
  /** The first row, or null. A caller knows what its own text selects. */
  readonly get: <Row>(text: string, ...values: Value[]) => Later<Row | null>;
  readonly all: <Row>(text: string, ...values: Value[]) => Later<Row[]>;
  /** For rules that only read. */
  readonly engine: Engine;
  readonly follow: <T>(rule: Rule<T>) => Later<T>;
}
