// Secrets, each a text of its own, go through a server whose log tells everything: none comes out again.
//
// Passwords that are right and wrong, a service account, API keys, tokens good and bad, in headers, forms, URLs of other
// programs and configurations that change or are wrong. Looked into: the log, the audit log, every answer, the metrics
// page, command lines, and what lies on disk.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { descendants } from "../processes.ts";
import { packageDirectory, run, startZot, tempDirectory } from "../harness.ts";
import { basic } from "./world.ts";

const canary = (name: string): string => `canary-${name}-${crypto.randomUUID()}`;
const keyPath = "/zot/auth/apikey";
const tokenPath = "/zot/auth/token";

/** Everything in the files below a directory, whatever it is. */
function bytesBelow(directory: string, but: RegExp): string {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => !but.test(path) && statSync(join(directory, path)).isFile());
  return files.map((path) => readFileSync(join(directory, path), "latin1")).join("\n");
}

function commandLines(pid: number): string {
  return [pid, ...descendants(pid)]
    .map((each) => readFileSync(`/proc/${each}/cmdline`, "utf8"))
    .join("\n");
}

describe("secrets", () => {
  test("stand in no log, answer, command line or file", async () => {
    await using directory = await tempDirectory("zot-secrets");
    const secret = {
      password: canary("password"),
      guess: canary("guess"),
      service: canary("service"),
      nextService: canary("next-service"),
      brokenService: canary("broken-service"),
      bearer: canary("bearer"),
      form: canary("form"),
      scheme: canary("scheme"),
      cookie: canary("cookie"),
    };
    const users = join(directory.path, "users");
    const hash = await Bun.password.hash(secret.password, { algorithm: "bcrypt", cost: 4 });
    await writeFile(users, `alice:${hash}\n`);
    const audit = join(directory.path, "audit.log");
    const configOf = (bindPassword: unknown) => ({
      log: { level: "trace", audit },
      extensions: { metrics: { enable: true } },
      http: {
        workers: 1,
        externalUrl: "http://127.0.0.1:8080",
        auth: {
          htpasswd: { path: users },
          apikey: true,
          ldap: {
            address: "127.0.0.1",
            port: 1,
            insecure: true,
            baseDN: "dc=example,dc=com",
            userAttribute: "uid",
            bindDN: "cn=searcher",
            bindPassword,
          },
        },
      },
    });
    await using zot = await startZot({ config: configOf(secret.service) });
    const answers: string[] = [];
    const ask = async (target: string, init: RequestInit = {}): Promise<Response> => {
      const answer = await fetch(`${zot.url}${target}`, init);
      answers.push(
        JSON.stringify([answer.status, [...answer.headers]]),
        await answer.clone().text(),
      );
      return answer;
    };
    const as = (authorization: string) => ({ headers: { authorization } });

    const right = as(basic("alice", secret.password));
    expect((await ask("/v2/", right)).status).toBe(200);
    const made = await fetch(`${zot.url}${keyPath}`, {
      method: "POST",
      ...right,
      body: JSON.stringify({ label: "ci" }),
    });
    const { apiKey } = (await made.json()) as { apiKey: string };
    expect(apiKey).toStartWith("zak_");
    const token = (
      (await (await fetch(`${zot.url}${tokenPath}`, right)).json()) as { token: string }
    ).token;
    expect((await ask("/v2/", as(basic("alice", apiKey)))).status).toBe(200);
    expect((await ask("/v2/", as(`Bearer ${token}`))).status).toBe(200);
    await ask(keyPath, right);
    // The directory is down: this one is a 503.
    expect((await ask("/v2/", as(basic("alice", secret.guess)))).status).toBe(503);
    await ask("/v2/", as(`Bearer ${secret.bearer}`));
    await ask("/v2/", as(`Bearer ${token}x`));
    await ask("/v2/", as(`${secret.scheme} x`));
    await ask("/v2/", { headers: { cookie: `session=${secret.cookie}` } });
    await ask(tokenPath, as(basic("alice", `${secret.guess}2`)));
    const form = new URLSearchParams({
      grant_type: "password",
      username: "alice",
      password: secret.form,
    });
    await ask(tokenPath, { method: "POST", body: form });
    const refresh = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: secret.form,
    });
    await ask(tokenPath, { method: "POST", body: refresh });
    await ask("/v2/a/b/blobs/uploads/", { method: "POST", ...right });
    await ask("/metrics", right);
    await ask("/swagger/v2/doc.json", right);

    await zot.configure(configOf(secret.nextService));
    process.kill(zot.pid, "SIGHUP");
    await zot.waitForLog("the change is told", (line) =>
      JSON.stringify(line).includes("bindPassword"),
    );
    await zot.configure(configOf([secret.brokenService]));
    process.kill(zot.pid, "SIGHUP");
    await zot.waitForLog("the problem is told", (line) =>
      JSON.stringify(line).includes("http.auth.ldap.bindPassword: expected"),
    );
    const program = join(packageDirectory, "bin", "zot");
    const verified = await run(program, ["verify", zot.configFile]);
    expect(verified.code).toBe(1);
    const lines = commandLines(zot.pid);
    await zot.stop();

    const places: Record<string, string> = {
      answers: answers.join("\n"),
      log: JSON.stringify(zot.logs()) + zot.stderr().join("\n"),
      audit: readFileSync(audit, "utf8"),
      "command lines": lines,
      verify: verified.stdout + verified.stderr,
      // The key of tokens signs them, and is for nobody else to read.
      disk: bytesBelow(zot.rootDirectory, /token_key\.json$/),
    };
    expect(places["log"]).toContain("a login failed");
    const encoded = (text: string): string[] => [text, Buffer.from(text).toString("base64")];
    const hidden = { ...secret, apiKey, token, header: basic("alice", secret.password).slice(6) };
    const found = Object.entries(places).flatMap(([place, text]) =>
      Object.entries(hidden)
        .filter(([, value]) => encoded(value).some((each) => text.includes(each)))
        .map(([name]) => `${name} in ${place}`),
    );
    expect(found).toEqual([]);
  });
});

describe("a line of the log", () => {
  test("is one line of JSON, whatever a caller puts into what it tells", async () => {
    await using directory = await tempDirectory("zot-lines");
    const users = join(directory.path, "users");
    const hash = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 });
    await writeFile(users, `alice:${hash}\n`);
    const audit = join(directory.path, "audit.log");
    await using zot = await startZot({
      config: { log: { audit }, http: { workers: 1, auth: { htpasswd: { path: users } } } },
    });
    const odd = [
      "\u001b[31mred",
      'quote"}\n{"level":"fatal"',
      "\u2028",
      "\u202e",
      "\u0085",
      "%0a%1b",
    ];
    for (const text of odd) {
      const header = { authorization: basic(text, "x"), "user-agent": encodeURIComponent(text) };
      await fetch(`${zot.url}/v2/${encodeURIComponent(text)}/tags/list`, { headers: header });
      const login = { authorization: basic("alice", "right") };
      const target = `${zot.url}/v2/a/blobs/uploads/?x=${encodeURIComponent(text)}`;
      expect((await fetch(target, { method: "POST", headers: login })).status).toBe(202);
    }
    await zot.stop();
    for (const lines of [zot.logs().map((line) => JSON.stringify(line)), auditLines(audit)]) {
      expect(lines.length).toBeGreaterThanOrEqual(odd.length);
      for (const line of lines) expect(JSON.parse(line)).toBeObject();
      expect(lines.join("\n")).not.toContain('"level":"fatal"');
    }
    expect(zot.stderr()).toEqual([]);
    expect(auditLines(audit)).toHaveLength(odd.length);
  });
});

function auditLines(path: string): string[] {
  const text = readFileSync(path, "latin1");
  // Neither a control character nor another one that a terminal obeys.
  expect(text).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/);
  return text.trimEnd().split("\n");
}
