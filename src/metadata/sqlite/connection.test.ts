// A connection keeps its statements, shows no bare variable to the planner, and lets go of the file.

import { expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { tempDirectory } from "../../../test/temp.ts";
import { Connection, withoutGuesses } from "./connection.ts";

test.each([
  [
    "SELECT 1 FROM a WHERE b = ?1 AND c IN (?2, ?) LIMIT ?3",
    "b = +?1 AND c IN (+?2, +?) LIMIT +?3",
  ],
  ["INSERT INTO a VALUES (?, ?2)", "VALUES (+?, +?2)"],
])("%s", (text, shown) => {
  expect(withoutGuesses(text)).toContain(shown);
});

test("bound values keep their types and order", () => {
  using database = new Connection(":memory:", { strict: true });
  database.run("CREATE TABLE a (i INTEGER, t TEXT, n TEXT) STRICT");
  const values = [2 ** 52 + 1, "1", null];
  database.query("INSERT INTO a VALUES (?3, ?1, ?2)").run("1", null, 2 ** 52 + 1);
  const find = "SELECT i, t, n FROM a WHERE i = ? AND t = ? AND n IS ? LIMIT ?";
  expect(database.query(find).values(...values, 1)).toEqual([values]);
  expect(database.query(find).values(1, 1, null, 1)).toEqual([]);
});

test("each text is prepared once, and closing lets go of the file", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "database");
  const database = new Connection(path, { strict: true });
  database.run("CREATE TABLE a (i INTEGER)");
  const text = "SELECT i FROM a WHERE i = ?1";
  expect(database.query(text)).toBe(database.query(text));
  expect(database.query(text).all(1)).toEqual([]);
  expect(openFiles()).toContain(path);
  database.close();
  expect(openFiles()).not.toContain(path);
});

function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}
