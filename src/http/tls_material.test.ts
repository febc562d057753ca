// What the files of `http.tls` must hold: every way in which they do not fit is one line that says where and what.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, openssl, TestAuthority } from "../../test/certificates.ts";
import { requireTool } from "../../test/processes.ts";
import { type TempDirectory, tempDirectory } from "../../test/temp.ts";
import { checkTls, readTlsFiles, type TlsPaths } from "./tls_material.ts";

describe.skipIf(!requireTool("openssl"))("TLS material", () => {
  let directory: TempDirectory;
  let authority: TestAuthority;
  let server: Certificate;
  let other: Certificate;
  const at = (name: string): string => join(directory.path, name);

  beforeAll(async () => {
    directory = await tempDirectory("zot-tls");
    authority = await TestAuthority.make(directory.path);
    server = await authority.issue("server", { names: ["DNS:registry.example.com"] });
    other = await authority.issue("other");
    const text = (path: string) => readFile(path, "utf8");
    const [cert, key, ca] = [
      await text(server.cert),
      await text(server.key),
      await text(authority.cert),
    ];
    await writeFile(at("chain.crt"), cert + ca);
    await writeFile(at("upside-down.crt"), ca + cert);
    await writeFile(at("both.pem"), `Bag Attributes\n${key}${cert}`);
    await writeFile(at("empty"), "");
    await writeFile(at("words"), "a secret that is in no PEM block");
    await writeFile(at("cut.crt"), cert.slice(0, 300));
    await writeFile(at("spoilt.crt"), cert.replace(/\n[^-\n]{10}/, "\nAAAAAAAAAA"));
    await writeFile(at("spoilt.key"), key.replace(/\n[^-\n]{10}/, "\nAAAAAAAAAA"));
    await writeFile(at("huge"), cert.padEnd(2 * 1024 * 1024));
    await writeFile(at("dos.crt"), cert.replaceAll("\n", "\r\n"));
    await mkdir(at("directory"));
    await openssl(`ec -in ${server.key} -aes256 -passout pass:x -out ${at("locked.key")}`);
    await openssl(`ecparam -name prime256v1 -out ${at("parameters.pem")}`);
    await writeFile(at("ecparam.key"), (await text(at("parameters.pem"))) + key);
    for (const [name, kind] of [
      ["rsa2048", "rsa:2048"],
      ["rsa1024", "rsa:1024"],
      ["brainpool", "ec -pkeyopt ec_paramgen_curve:brainpoolP256r1"],
    ]) {
      const files = `-keyout ${at(`${name}.key`)} -out ${at(`${name}.crt`)}`;
      await openssl(`req -x509 -newkey ${kind} -nodes -subj /CN=self ${files}`);
    }
  });
  afterAll(() => directory[Symbol.asyncDispose]());

  async function check(names: Partial<TlsPaths>, nowMs = Date.now()) {
    const full = (name: string): string => (name.startsWith("/") ? name : at(name));
    const { cert = server.cert, key = server.key, cacert = null } = names;
    const paths = {
      cert: full(cert),
      key: full(key),
      cacert: cacert === null ? null : full(cacert),
    };
    await Promise.all(
      [paths.key].map((path) => chmod(path, 0o600).catch(() => undefined)), // Warned of elsewhere.
    );
    return checkTls(await readTlsFiles(paths), nowMs);
  }

  test("a pair that fits is handed out, with its fingerprint and end", async () => {
    const { material, warnings } = await check({ cacert: authority.cert });
    expect(warnings).toEqual([]);
    const printed = await openssl(`x509 -in ${server.cert} -noout -fingerprint -sha256 -enddate`);
    const [, fingerprint = ""] = /Fingerprint=(.*)/.exec(printed.stdout) ?? [];
    const [, end = ""] = /notAfter=(.*)/.exec(printed.stdout) ?? [];
    expect(material.fingerprint).toBe(fingerprint.replaceAll(":", "").toLowerCase());
    expect(material.expiresAtMs).toBe(Date.parse(end));
    expect(material.ca).toContain("BEGIN CERTIFICATE");
  });

  test.each([
    ["a chain", { cert: "chain.crt" }],
    ["one file for both", { cert: "both.pem", key: "both.pem" }],
    ["an RSA key", { cert: "rsa2048.crt", key: "rsa2048.key" }],
    ["lines of Windows", { cert: "dos.crt" }],
    ["parameters before the key", { key: "ecparam.key" }],
  ])("%s is taken", async (_, names) => {
    expect((await check(names)).warnings).toEqual([]);
  });

  const certExpected = "http.tls.cert: expected the server's certificate (PEM) in";
  const keyExpected =
    "http.tls.key: expected the private key of the server's certificate (PEM, not encrypted) in";
  const problems: readonly [Partial<TlsPaths>, (path: (name: string) => string) => string][] = [
    [{ cert: "absent" }, (path) => `${certExpected} ${path("absent")}, got no such file`],
    [{ cert: "directory" }, (path) => `${certExpected} ${path("directory")}, got a directory`],
    [{ cert: "empty" }, (path) => `${certExpected} ${path("empty")}, got an empty file`],
    [{ cert: "words" }, (path) => `${certExpected} ${path("words")}, got no PEM text`],
    [{ cert: "cut.crt" }, (path) => `${certExpected} ${path("cut.crt")}, got a CERTIFICATE`],
    [{ cert: "server.key" }, (path) => `${certExpected} ${path("server.key")}, got a PRIVATE KEY`],
    [
      { cert: "huge" },
      (path) =>
        `${certExpected} ${path("huge")}, got a file of 2097152 bytes, where 1048576 are plenty`,
    ],
    [
      { cert: "upside-down.crt" },
      (path) =>
        `http.tls.cert: expected the server's certificate as the first in ${path("upside-down.crt")}, ` +
        "got it as number 2 of 2; put it before the chain above it",
    ],
    [{ key: "absent" }, (path) => `${keyExpected} ${path("absent")}, got no such file`],
    [{ key: "server.crt" }, (path) => `${keyExpected} ${path("server.crt")}, got a CERTIFICATE`],
    [{ key: "empty" }, (path) => `${keyExpected} ${path("empty")}, got an empty file`],
    [
      { key: "locked.key" },
      (path) =>
        `${keyExpected} ${path("locked.key")}, got an encrypted one; decrypt it with 'openssl pkey'`,
    ],
    [
      { key: "other.key" },
      (path) =>
        `http.tls.key: expected the private key of the certificate of CN=server in ${path("server.crt")}, ` +
        `got that of another certificate in ${path("other.key")}`,
    ],
    [
      { cacert: "absent" },
      (path) =>
        `http.tls.cacert: expected certificates of authorities (PEM) in ${path("absent")}, got no such file`,
    ],
    [
      { cacert: "server.key" },
      (path) =>
        `http.tls.cacert: expected certificates of authorities (PEM) in ${path("server.key")}, got a PRIVATE KEY`,
    ],
  ];
  test.each(problems.map(([names, says]) => [JSON.stringify(names), names, says] as const))(
    "%s is one line",
    async (_, names, says) => {
      expect(check(names)).rejects.toThrow(new Error(says(at)));
    },
  );

  test.each([
    [{ cert: "spoilt.crt" }, certExpected],
    [{ key: "spoilt.key" }, keyExpected],
    [{ cacert: "spoilt.crt" }, "http.tls.cacert: expected certificates of authorities (PEM) in"],
    [{ key: "brainpool.key" }, keyExpected],
  ])("%p, which a library refuses, is one line that names the file", async (names, start) => {
    const error = await check(names).then(
      () => null,
      (reason: Error) => reason,
    );
    expect(error?.message).toStartWith(start);
    expect(error?.message).toContain(at(Object.values(names)[0]!));
    expect(error?.message).not.toContain("\n");
    expect(error?.message).not.toContain("AAAAAAAAAA");
  });

  test("no line repeats what a file holds", async () => {
    for (const names of [{ cert: "words" }, { key: "words" }, { key: "spoilt.key" }]) {
      const said = await check(names).then(
        () => "",
        (reason: Error) => reason.message,
      );
      expect(said).toStartWith("http.tls.");
      expect(said).not.toContain("secret");
      expect(said).not.toContain("MHcC");
    }
  });

  test("a certificate that clients will refuse is warned of, and taken", async () => {
    const day = 24 * 3_600_000;
    const late = await check({}, Date.now() + 40 * day);
    expect(late.warnings).toEqual([
      expect.stringMatching(/expired on .*; clients will refuse it$/),
    ]);
    const early = await check({}, Date.now() - 40 * day);
    expect(early.warnings).toEqual([expect.stringMatching(/is not valid before /)]);
  });

  test("a short RSA key is warned of", async () => {
    const { warnings } = await check({ cert: "rsa1024.crt", key: "rsa1024.key" });
    expect(warnings).toEqual([expect.stringMatching(/has an RSA key of 1024 bits/)]);
  });

  test("authorities that are none are warned of", async () => {
    const { warnings } = await check({ cacert: other.cert });
    expect(warnings).toEqual([
      expect.stringMatching(/^http\.tls\.cacert: no certificate in .* is that/),
    ]);
  });

  test("a key that everybody may read is warned of", async () => {
    const paths = { ...server, cacert: null };
    await chmod(server.key, 0o644);
    const open = checkTls(await readTlsFiles(paths), Date.now());
    expect(open.warnings).toEqual([
      `http.tls.key: every user of this machine may read ${server.key}; take that right away with chmod o-r`,
    ]);
    await chmod(server.key, 0o640);
    expect(checkTls(await readTlsFiles(paths), Date.now()).warnings).toEqual([]);
  });
});
