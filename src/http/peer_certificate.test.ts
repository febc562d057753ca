// Names in a client's certificate: none can pretend to be two, or to be another one.

import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { openssl } from "../../test/certificates.ts";
import { requireTool } from "../../test/processes.ts";
import { tempDirectory } from "../../test/temp.ts";
import { alternativeNames, peerCertificate, subjectAttributes } from "./peer_certificate.ts";

describe("a subject", () => {
  test.each([
    ["CN=alice", [["CN", "alice"]]],
    [
      "C=DE\nO=Example\nCN=alice",
      [
        ["C", "DE"],
        ["O", "Example"],
        ["CN", "alice"],
      ],
    ],
    ["CN=a=b", [["CN", "a=b"]]],
    [
      "O=Example\\, Inc.\nCN=a",
      [
        ["O", "Example, Inc."],
        ["CN", "a"],
      ],
    ],
    ["CN=a\\0ACN=root", [["CN", "a\nCN=root"]]],
    [
      "CN=a + UID=7",
      [
        ["CN", "a"],
        ["UID", "7"],
      ],
    ],
    ["CN=a \\+ CN=root", [["CN", "a + CN=root"]]],
    [
      "CN=a\\\\ + UID=7",
      [
        ["CN", "a\\"],
        ["UID", "7"],
      ],
    ],
    ["CN=\\C3\\A9", [["CN", "é"]]],
    ["", []],
  ])("%p", (text, expected) => {
    const found = subjectAttributes(text).map(({ type, value }) => [type, value]);
    expect(found).toEqual(expected);
  });
});

describe("alternative names", () => {
  test.each([
    ["", []],
    ["DNS:a.example.com", [["dns", "a.example.com"]]],
    [
      "DNS:a, email:a@b.c, URI:spiffe://x/a, IP Address:10.0.0.1",
      [
        ["dns", "a"],
        ["email", "a@b.c"],
        ["uri", "spiffe://x/a"],
        ["ip", "10.0.0.1"],
      ],
    ],
    [
      'URI:"spiffe://x/a\\u002c DNS:evil", DNS:b',
      [
        ["uri", "spiffe://x/a, DNS:evil"],
        ["dns", "b"],
      ],
    ],
    [
      'DNS:"a\\"b", DNS:c',
      [
        ["dns", 'a"b'],
        ["dns", "c"],
      ],
    ],
    ["othername:<unsupported>, DirName:CN = a, DNS:b", [["dns", "b"]]],
    [
      "IP Address:0:0:0:0:0:0:0:1, DNS:b",
      [
        ["ip", "0:0:0:0:0:0:0:1"],
        ["dns", "b"],
      ],
    ],
  ])("%p", (text, expected) => {
    const found = alternativeNames(text).map(({ kind, value }) => [kind, value]);
    expect(found).toEqual(expected);
  });
});

describe.skipIf(!requireTool("openssl"))("a certificate", () => {
  /** Text for a value in a configuration of OpenSSL. */
  const quoted = (text: string): string => `"${text.replace(/[\\"$]/g, (char) => `\\${char}`)}"`;

  async function issue(options: {
    readonly directory: string;
    readonly commonName: string;
    readonly names: readonly (readonly [kind: string, value: string])[];
  }): Promise<X509Certificate> {
    const { directory, commonName, names } = options;
    const at = (name: string): string => join(directory, name);
    await writeFile(
      at("config"),
      [
        "[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nstring_mask=utf8only\nx509_extensions=v3",
        `[dn]\nO=${quoted('Example, "Inc"')}\nCN=${quoted(commonName)}`,
        `[v3]\nbasicConstraints=CA:FALSE${names.length === 0 ? "" : "\nsubjectAltName=@names\n[names]"}`,
        ...names.map(([kind, value], index) => `${kind}.${index}=${quoted(value)}`),
      ].join("\n"),
    );
    await openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -config ${at("config")} ` +
        `-keyout ${at("key")} -out ${at("cert")}`,
    );
    return new X509Certificate(await readFile(at("cert")));
  }

  test("says exactly what was put into it, whatever that looks like", async () => {
    await using directory = await tempDirectory("zot-peer");
    const awkward = fc.stringMatching(/^[a-z]([a-zA-Z0-9,+="\\<>;:# éß/.-]{0,18}[a-z])?$/);
    const plain = fc.stringMatching(/^[a-z]([a-zA-Z0-9,+="\\<>;:# /.-]{0,18}[a-z])?$/);
    const property = fc.asyncProperty(
      awkward,
      fc.array(fc.tuple(fc.constantFrom("DNS", "URI", "email"), plain), { maxLength: 4 }),
      async (commonName, names) => {
        const issued = await issue({ directory: directory.path, commonName, names });
        const { subject, san, raw, fingerprint } = peerCertificate(issued);
        expect(subject).toEqual([
          { type: "O", value: 'Example, "Inc"' },
          { type: "CN", value: commonName },
        ]);
        const expected = names.map(([kind, value]) => ({ kind: kind.toLowerCase(), value }));
        expect([...san]).toEqual(expected as never);
        expect(raw.length).toBeGreaterThan(100);
        expect(fingerprint).toBe(issued.fingerprint256.replaceAll(":", "").toLowerCase());
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });
});
