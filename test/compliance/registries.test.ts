// The whole suite, without anything in between, on each form that the registry has: a server with its worker
// processes in a directory, and a function inside a program in memory.

import { describe, expect, test } from "bun:test";
import { runCompliance } from "../../src/compliance/compliance.ts";
import { checkoutProgram, startZot } from "../harness.ts";
import { serveRegistry } from "../served_registry.ts";

interface Form extends AsyncDisposable {
  readonly url: string;
}

const forms: readonly (readonly [name: string, start: () => Promise<Form>])[] = [
  [
    "a checkout's server with its processes",
    () => startZot({ executable: checkoutProgram, config: { storage: { commit: false } } }),
  ],
  ["a registry in this process, in memory", () => serveRegistry()],
];

/** What cannot be tried here: nobody logs in, and the registry was empty before. */
const untried = /^(login\.|existing\/|upload\.start\/chunk-minimum)/;

describe.each(forms)("%s", (_, start) => {
  test("passes every case that can be tried", async () => {
    await using form = await start();
    const versions = ["1.0", "1.1", "dev"] as const;
    const report = await runCompliance({ url: form.url, versions });
    const others = report.cases.filter(
      ({ id, status }) => status !== "passed" && !(status === "skipped" && untried.test(id)),
    );
    expect(others.map(({ id, status, message }) => [id, status, message])).toEqual([]);
    expect(report.totals.passed).toBeGreaterThan(500);
    expect(report.versions.map(({ compliant }) => compliant)).toEqual([true, true, true]);
    expect(report.leftBehind).toEqual({ manifests: 0, tags: 0, blobs: 0, uploads: 0 });
  }, 240_000);
});
