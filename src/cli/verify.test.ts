// `zot verify` looks into every file that a start reads: what it says of each is what `zot serve` would stop with.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "../../test/certificates.ts";
import { packageDirectory, requireTool, run as runProgram } from "../../test/harness.ts";
import { tempDirectory, type TempDirectory } from "../../test/temp.ts";
import { runCommandLine } from "./program.ts";

describe.skipIf(!requireTool("openssl"))("verify", () => {
  let directory: TempDirectory;
  const at = (name: string): string => join(directory.path, name);

  beforeAll(async () => {
    directory = await tempDirectory("zot-verify");
    const authority = await TestAuthority.make(directory.path);
    for (const name of ["one", "other"]) await authority.issue(name, { names: ["IP:127.0.0.1"] });
    await authority.issue("old", { names: ["IP:127.0.0.1"], days: -1 });
    const hash = await Bun.password.hash("right", { algorithm: "bcrypt", cost: 4 });
    await writeFile(at("users"), `alice:${hash}\n`);
    await writeFile(at("broken"), `alice:${hash}\nbroken\n`);
    await writeFile(at("ldap.json"), '{"bindDN": "cn=x", "bindPassword": ""}');
    await writeFile(at("text"), "hello");
    await mkdir(at("folder"));
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  /** A configuration as its file has it. */
  async function configFile(config: Record<string, object>): Promise<string> {
    const { http = {}, ...rest } = config;
    const file = at("config.json");
    const whole = { storage: { rootDirectory: at("root") }, http: { port: 0, ...http }, ...rest };
    await writeFile(file, JSON.stringify(whole));
    return file;
  }

  async function verify(config: Record<string, object>) {
    let [out, error] = ["", ""];
    const output = {
      out: (text: string) => void (out += text),
      error: (text: string) => void (error += text),
      colour: false,
      columns: undefined,
    };
    const status = await runCommandLine(["verify", await configFile(config)], output);
    return { status, out, error };
  }

  const tls = (cert: string, key: string) => ({ tls: { cert: at(cert), key: at(key) } });
  const ldap = (more: object) => ({
    auth: {
      ldap: { address: "127.0.0.1", baseDN: "dc=example,dc=com", userAttribute: "uid", ...more },
    },
  });
  const rows: [says: string, config: () => Record<string, object>, problem: () => string][] = [
    [
      "a bad line of the htpasswd file",
      () => ({ http: { auth: { htpasswd: { path: at("broken") } } } }),
      () => `${at("broken")}: line 2: expected name:hash, got no colon`,
    ],
    [
      "an htpasswd file that is not there",
      () => ({ http: { auth: { htpasswd: { path: at("none") } } } }),
      () => `${at("none")}: expected a file that can be read, got no such file`,
    ],
    [
      "the key of another certificate",
      () => ({ http: tls("one.crt", "other.key") }),
      () => "http.tls.key: expected the private key of the certificate of",
    ],
    [
      "a certificate that is not there",
      () => ({ http: tls("none.crt", "one.key") }),
      () => "http.tls.cert: expected the server's certificate (PEM) in",
    ],
    [
      "authorities that are none",
      () => ({ http: { tls: { ...tls("one.crt", "one.key").tls, cacert: at("text") } } }),
      () => "http.tls.cacert: expected certificates of authorities (PEM) in",
    ],
    [
      "credentials of the directory without a password",
      () => ({ http: ldap({ credentialsFile: at("ldap.json") }) }),
      () => `${at("ldap.json")}: expected a bindPassword beside the bindDN, got an empty one`,
    ],
    [
      "authorities of the directory that are none",
      () => ({ http: ldap({ caCert: at("text") }) }),
      () => `${at("text")}: expected certificates in PEM`,
    ],
    [
      "a filter of the directory that does not read",
      () => ({ http: ldap({ userFilter: "(uid" }) }),
      () => "http.auth.ldap.userFilter: expected a filter",
    ],
    [
      "a key of tokens that is none",
      () => ({
        http: {
          auth: { bearer: { realm: "https://a.example.com", service: "zot", cert: at("text") } },
        },
      }),
      () => `${at("text")}: expected a key in PEM or a JSON Web Key Set`,
    ],
    [
      "a log in a directory that is not there",
      () => ({ log: { output: at("none/zot.log") } }),
      () =>
        `log.output: expected a file that can be written to, got no such directory: ${at("none/zot.log")}`,
    ],
    [
      "an audit log that is a directory",
      () => ({ log: { audit: at("folder") } }),
      () => `log.audit: expected a file that can be written to, got a directory: ${at("folder")}`,
    ],
  ];

  test.each(rows)("finds %s", async (_, config, problem) => {
    const { status, out, error } = await verify(config());
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(error).toStartWith(problem());
    expect(error.trimEnd().split("\n")).toHaveLength(1);
  });

  // Each start is a process of its own: the slow half of the proof, for one row of each kind.
  test.each(rows.filter((_, index) => [0, 2, 5, 9, 10].includes(index)))(
    "a start stops with the same line: %s",
    async (_, config) => {
      const { error } = await verify(config());
      const file = await configFile(config());
      const started = await runProgram(join(packageDirectory, "bin", "zot"), ["serve", file]);
      expect(started).toMatchObject({ code: 1, stdout: "", stderr: `zot: ${error}` });
    },
  );

  test("names what is wrong in each file, not in the first alone", async () => {
    const { error } = await verify({
      http: { ...tls("one.crt", "other.key"), auth: { htpasswd: { path: at("broken") } } },
      log: { output: at("folder") },
    });
    expect(error.trimEnd().split("\n")).toEqual([
      expect.stringContaining("log.output"),
      expect.stringContaining("http.tls.key"),
      expect.stringContaining("line 2"),
    ]);
  });

  test("a name that stands for this machine is valid", async () => {
    expect(await verify({ http: { address: "localhost" } })).toMatchObject({
      status: 0,
      error: "",
    });
  });

  test("warns of what is unwise, and is content", async () => {
    const { status, error } = await verify({
      http: { ...tls("old.crt", "old.key"), address: "0.0.0.0" },
    });
    expect(status).toBe(0);
    const lines = error.trimEnd().split("\n");
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^warning: http\.auth: there is none, so everybody who reaches 0\.0\.0\.0/,
      ),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^warning: http\.tls\.cert: .* expired on/));
  });

  test("names users of a policy whom the file of users does not have", async () => {
    const accessControl = {
      groups: { team: { users: ["alice", "alise"] } },
      repositories: {
        "**": { policies: [{ users: ["allice", "zoe", "htpasswd:alicee"], actions: ["read"] }] },
      },
      adminPolicy: { users: ["alice"], actions: ["read"] },
    };
    const htpasswd = { path: at("users") };
    const { status, error } = await verify({ http: { auth: { htpasswd }, accessControl } });
    expect(status).toBe(0);
    const place = "warning: http.accessControl";
    expect(error.trimEnd().split("\n")).toEqual([
      `${place}.groups["team"].users[1]: "alise" is not in the file of users; did you mean alice?`,
      `${place}.repositories["**"].policies[0].users[0]: "allice" is not in the file of users; did you mean alice?`,
      `${place}.repositories["**"].policies[0].users[1]: "zoe" is not in the file of users`,
      `${place}.repositories["**"].policies[0].users[2]: "htpasswd:alicee" is not in the file of users; did you mean htpasswd:alice?`,
    ]);
    const foreign = { adminPolicy: { users: ["ldap:alice"], actions: ["read"] } };
    expect(await verify({ http: { auth: { htpasswd }, accessControl: foreign } })).toMatchObject({
      status: 1,
      error: expect.stringContaining(
        'http.accessControl.adminPolicy.users[0]: expected a method that is configured, got "ldap:alice" without http.auth.ldap',
      ),
    });
    // Where names come from elsewhere as well, nobody knows them all.
    const more = await verify({
      http: { auth: { htpasswd, ...ldap({ bindDN: "" }).auth }, accessControl },
    });
    expect(more).toMatchObject({ status: 0, error: "" });
  });

  test("makes nothing: neither logs, nor the root, nor a key", async () => {
    const { status } = await verify({
      http: { externalUrl: "https://zot.example.com", auth: { htpasswd: { path: at("users") } } },
      log: { output: at("new.log"), audit: at("audit.log") },
    });
    expect(status).toBe(0);
    for (const name of ["new.log", "audit.log", "root"]) {
      expect(await Bun.file(at(name)).exists()).toBe(false);
    }
  });
});
