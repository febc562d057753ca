// `zot compliance` as a person runs it: what it prints, what it writes, how it ends.
//
// Against our own server, and against addresses where there is no registry: each of those has to end
// with status 2, one line, and within its limit.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { run, startZot, tempDirectory, testedProgram, type Zot } from "../harness.ts";

let zot: Zot;
const servers: Server[] = [];

beforeAll(async () => {
  zot = await startZot({ config: { storage: { commit: false } } });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await zot[Symbol.asyncDispose]();
});

interface Ended {
  status: number;
  out: string;
  error: string;
}

const zotBinary = await testedProgram();

async function compliance(args: readonly string[]): Promise<Ended> {
  const env = { ZOT_PASSWORD: undefined, ZOT_TOKEN: undefined };
  const { code, stdout, stderr } = await run(zotBinary, ["compliance", ...args], { env });
  return { status: code, out: stdout, error: stderr };
}

/** A port whose connections are answered by `answer`, or by silence. */
async function answering(answer: string | null): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      if (answer !== null) socket.end(answer);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}

describe("a compliant registry", () => {
  test("ends with 0, with -H and -P as in the first release", async () => {
    const ended = await compliance([
      "-H",
      "127.0.0.1",
      "-P",
      String(zot.port),
      "--groups",
      "ping,tags",
    ]);
    expect(ended.error).toBe("");
    expect(ended.status).toBe(0);
    expect(ended.out).toContain("Distribution specification 1.1: compliant");
    expect(ended.out).not.toContain("\u001B");
  });

  test("--json gives the report with totals that add up", async () => {
    const ended = await compliance([zot.url, "--json", "--groups", "mount", "-V", "1.1"]);
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.out);
    expect(report.formatVersion).toBe(1);
    expect(report.versions.map(({ version }: { version: string }) => version)).toEqual(["1.1"]);
    const { passed, skipped, unsupported, failed, error } = report.totals;
    expect(passed + skipped + unsupported + failed + error).toBe(report.cases.length);
    expect(report.positive.passed + report.negative.passed).toBe(passed);
    expect(report.cases[0].exchanges.length).toBeGreaterThan(0);
  });

  test("--output writes files in the form of their extension, and prints nothing", async () => {
    await using directory = await tempDirectory("compliance");
    const path = (name: string): string => join(directory.path, name);
    const output = ["report.html", "report.json", "report.xml", "report.txt"].map(path).join(",");
    const ended = await compliance([
      zot.url,
      "--output",
      output,
      "--groups",
      "ping",
      "--name",
      "Ours",
    ]);
    expect(ended).toEqual({ status: 0, out: "", error: "" });
    expect(await readFile(path("report.html"), "utf8")).toStartWith("<!doctype html>");
    expect(JSON.parse(await readFile(path("report.json"), "utf8")).name).toBe("Ours");
    expect(await readFile(path("report.xml"), "utf8")).toStartWith("<?xml");
    expect(await readFile(path("report.txt"), "utf8")).toStartWith("Compliance of Ours\n");
    const asked = ["--output", path("page"), "--format", "html"];
    expect((await compliance([zot.url, ...asked, "--groups", "ping"])).status).toBe(0);
    expect(await readFile(path("page"), "utf8")).toStartWith("<!doctype html>");
  });

  test("--read-only pushes nothing", async () => {
    const repository = "readonly/content";
    const ended = await compliance([zot.url, "--read-only", "--json", "--repository", repository]);
    expect(ended.status).toBe(0);
    const report = JSON.parse(ended.out);
    const methods = new Set<string>(
      report.cases.flatMap((one: { exchanges: { method: string }[] }) =>
        one.exchanges.map(({ method }) => method),
      ),
    );
    expect([...methods].toSorted()).toEqual(["GET", "HEAD"]);
  });

  test("an interrupt ends the run with 2, and what was pushed is removed", async () => {
    const repository = "interrupted/first";
    const child = Bun.spawn(
      [zotBinary, "compliance", zot.url, "--repository", repository, "--json"],
      { stdout: "pipe", stderr: "pipe" },
    );
    const tags = async (): Promise<number> =>
      (await fetch(`${zot.url}/v2/${repository}/tags/list`)).status;
    // The repository appears with the first content; then the run is in its middle.
    while ((await tags()) !== 200) {
      expect(child.exitCode).toBeNull();
      await Bun.sleep(5);
    }
    child.kill("SIGINT");
    child.kill("SIGTERM"); // `npm exec` passes on what the terminal has sent already.
    const [out, error, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    expect(status).toBe(2);
    expect(error).toBe("zot compliance: Stopped by the user\n");
    const report = JSON.parse(out);
    expect(report.aborted).toBe("Stopped by the user");
    expect(report.leftBehind).toEqual({ manifests: 0, tags: 0, blobs: 0, uploads: 0 });
  });
});

describe("no registry", () => {
  const ok = (head: string, body: string): string =>
    `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  const rows: [string, string | null, RegExp][] = [
    ["silence", null, /connected, but no answer within the limit \(1 s of silence\)/],
    ["garbage", "220 mail.example.com ESMTP\r\n", /something that is not HTTP \("220 mail/],
    ["redirects in a loop", ok("307 x\r\nLocation: /v2/", ""), /redirects in a loop/],
    [
      "a login",
      ok('401 x\r\nWWW-Authenticate: Basic realm="r"', ""),
      /needs a login; give a user and password or a token/,
    ],
    ["a web page", ok("404 Not Found", "<html>"), /has no registry API at \/v2\//],
    ["a closed door", "", /connection closed before the answer was complete/],
    [
      "a TLS alert",
      "\u0015\u0003\u0001\u0000\u0002\u0002\u0046",
      /speaks TLS where plain HTTP was asked; use https:/,
    ],
  ];
  test.each(rows)("%s: status 2 and one line", async (_name, answer, message) => {
    const port = await answering(answer);
    const ended = await compliance(["-H", "127.0.0.1", "-P", String(port), "--timeout", "1"]);
    expect(ended.error).toMatch(message);
    expect(ended.error).toMatch(/^zot compliance: 127\.0\.0\.1:\d+|^zot compliance: http:\/\/127/);
    expect(ended.error.trimEnd()).not.toContain("\n");
    expect(ended.status).toBe(2);
    expect(ended.out).toBe("");
  });

  const wrong: [string, string[], RegExp][] = [
    [
      "nothing listens",
      ["-H", "127.0.0.1", "-P", "1"],
      /connection refused; is the registry running/,
    ],
    ["an unknown host", ["http://no-such-host.invalid"], /host name cannot be resolved/],
    ["TLS was asked of plain HTTP", [], /speaks plain HTTP where TLS was asked; use http:/],
    ["no address", ["--json"], /expected the address of a registry, or -H and -P; got neither/],
    ["no URL", ["ftp://example.com"], /is not a registry address/],
    [
      "an unknown group",
      ["x", "--groups", "tgas"],
      /expected a group of cases, got 'tgas'; did you mean tags\?/,
    ],
    [
      "an unknown version",
      ["x", "-V", "2.0"],
      /expected a version of the specification \(.*\), got '2\.0'/,
    ],
    [
      "an unknown format",
      ["x", "--format", "pdf"],
      /expected --format text, json, junit, html; got 'pdf'/,
    ],
    ["a port that is none", ["-H", "x", "-P", "abc"], /expected a port number, got 'abc'/],
    ["two addresses", ["x", "-H", "y"], /expected an address or -H and -P, got both/],
    [
      "a name without a password",
      ["x", "--user", "ann"],
      /or the password in ZOT_PASSWORD; got a name only/,
    ],
    [
      "half a client certificate",
      ["x", "--cert", "y"],
      /expected --cert and --key together, got one/,
    ],
    [
      "a file that is not there",
      ["x", "--ca", "/no/such/file"],
      /expected a file at '\/no\/such\/file'/,
    ],
  ];
  test.each(wrong)("%s: status 2 and one line", async (name, args, message) => {
    const given = name.startsWith("TLS")
      ? [`https://127.0.0.1:${zot.port}`, "--timeout", "2"]
      : args;
    const ended = await compliance(given);
    expect(ended.error).toMatch(message);
    expect(ended.error.trimEnd()).not.toContain("\n");
    expect(ended.status).toBe(2);
    expect(ended.out).toBe("");
  });
});

test("a registry that breaks a rule ends with 1 and says which", async () => {
  const { startFaultProxy, withBody } = await import("./fault_proxy.ts");
  await using proxy = await startFaultProxy(zot.url, async (request, forward) => {
    const answer = await forward(request);
    if (!request.path.endsWith("/tags/list") || answer.status !== 200) return answer;
    const list = JSON.parse(Buffer.from(answer.body).toString());
    return withBody(answer, JSON.stringify({ ...list, tags: list.tags.toReversed() }));
  });
  const ended = await compliance([proxy.url, "--groups", "tags"]);
  expect(ended.status).toBe(1);
  expect(ended.out).toContain("✘ tags/order");
  expect(ended.out).toContain("Distribution specification 1.0: not compliant");
});
