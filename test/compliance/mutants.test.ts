// Is the suite any good? A correct registry passes, and every mutant of it is named.
//
// A registry in memory is served; a proxy in front of it breaks one rule at a time (mutants/). For each
// mutant only its scenarios run. A mutant counts as named when its case does not pass; the positive
// control is the same proxy without a fault, through which everything has to pass.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { runCompliance } from "../../src/compliance/compliance.ts";
import type { Report } from "../../src/compliance/report.ts";
import { serveRegistry, type ServedRegistry } from "../served_registry.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./fault_proxy.ts";
import { basicGate, bearerGate, gateLogin } from "./login_gate.ts";
import { mutants } from "./mutants/mutants.ts";

const faultless: Fault = (request, forward) => forward(request);
let served: ServedRegistry;
let proxy: FaultProxy;

beforeAll(async () => {
  served = await serveRegistry();
  proxy = await startFaultProxy(served.url, faultless);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
});

interface JudgeOptions {
  only?: readonly string[];
  login?: boolean;
}

async function judge(fault: Fault, { only, login = false }: JudgeOptions = {}): Promise<Report> {
  proxy.use(fault);
  return await runCompliance({
    url: proxy.url,
    versions: ["1.0", "1.1", "dev"],
    limits: { connectMs: 5000, idleMs: 15_000 },
    ...(only === undefined ? {} : { only }),
    ...(login ? { credentials: gateLogin } : {}),
  });
}

describe("the suite", () => {
  test("passes a correct registry through a proxy that breaks nothing", async () => {
    const report = await judge(faultless);
    const notPassed = report.cases
      .filter(({ status }) => status !== "passed" && status !== "skipped")
      .map(({ id, status, message }) => `${id}: ${status}, ${message ?? ""}`);
    expect(notPassed).toEqual([]);
    // Only what cannot be tried here is skipped.
    const skipped = report.cases.filter(({ status }) => status === "skipped");
    const expected = /^(login\.|existing\/|upload\.start\/chunk-minimum)/;
    expect(skipped.map(({ id }) => id).filter((id) => !expected.test(id))).toEqual([]);
    expect(report.versions.map(({ compliant }) => compliant)).toEqual([true, true, true]);
    expect(report.leftBehind).toEqual({ manifests: 0, tags: 0, blobs: 0, uploads: 0 });
  }, 300_000);

  const gates = [
    ["Basic", basicGate, /invalid-token|^login.token/],
    ["Bearer", bearerGate, /scheme-case/],
  ] as const;
  test.each(gates)("passes a correct registry behind a %s login", async (_name, gate, untried) => {
    const only = ["login", "push.sha256.post-put", "tags", "content.image"];
    const report = await judge(gate(), { only, login: true });
    const notPassed = report.cases.filter(({ status }) => status !== "passed");
    expect(
      notPassed.filter(({ id }) => !untried.test(id)).map(({ id, message }) => [id, message]),
    ).toEqual([]);
    // What was published holds no secret.
    const published = JSON.stringify(report);
    for (const secret of [
      "the-right-token",
      Buffer.from("ann:secret").toString("base64"),
      "password=secret",
    ]) {
      expect(published).not.toContain(secret);
    }
  });

  test("has at least 350 mutants, all different", () => {
    const keys = mutants.map(({ names, breaks }) => `${names}: ${breaks}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThanOrEqual(350);
  });

  test.each(mutants.map((mutant) => [mutant.breaks, mutant.names, mutant] as const))(
    "names: %s (%s)",
    async (_breaks, names, mutant) => {
      const scenario = names.slice(0, names.indexOf("/"));
      const report = await judge(mutant.fault(), {
        only: [scenario],
        login: mutant.login === true,
      });
      const found = report.cases.find(({ id }) => id === names);
      expect(found?.id).toBe(names);
      expect(["failed", "unsupported"]).toContain(found?.status ?? "");
    },
  );
});
