// What a failed request says of its cause: a stack where something went wrong, one line where the answer was meant.

import { expect, test } from "bun:test";
import type { Log } from "../lib/log.ts";
import { apiError } from "../oci/errors.ts";
import type { AccessRecord } from "./dispatch.ts";
import { logAnswer } from "./access_log.ts";

function causeOf(failure: unknown): string {
  const lines: Record<string, unknown>[] = [];
  const log = { access: { error: (line: Record<string, unknown>) => void lines.push(line) } };
  logAnswer(log as unknown as Log, { what: "manifests.get", status: 503 } as AccessRecord, failure);
  return String(lines[0]?.["cause"]);
}

test("an answer that was meant is one line, and a failure tells where it was", () => {
  expect(causeOf(apiError("UNAVAILABLE", { message: "Still being read" }))).toBe(
    "Still being read",
  );
  expect(causeOf(new Error("disk trouble"))).toMatch(/^Error: disk trouble\n +at /);
});
