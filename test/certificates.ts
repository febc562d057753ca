// Certificates for tests, made with OpenSSL in a directory of the test's own.
//
// Keys are small and fast (P-256), tests share nothing, and nothing is left behind but the directory.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Output, runOk } from "./processes.ts";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** As OpenSSL writes it: `/CN=alice/O=example`. */
  readonly subject?: string;
  /** As in a configuration of OpenSSL: `DNS:localhost`, `IP:127.0.0.1`, `URI:…`, `email:…`. */
  readonly names?: readonly string[];
  /** Days until it expires; negative for one that has expired. */
  readonly days?: number;
  /** What it may be used for; both by default. */
  readonly usage?: "serverAuth" | "clientAuth";
}

/** A certificate authority in `directory`, as files `<name>.crt` and `<name>.key`. */
export class TestAuthority {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;

  private constructor(directory: string, name: string) {
    this.directory = directory;
    this.cert = join(directory, `${name}.crt`);
    this.key = join(directory, `${name}.key`);
  }

  static async make(directory: string, name = "authority"): Promise<TestAuthority> {
    const authority = new TestAuthority(directory, name);
    await runOk("openssl", [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      authority.key,
      "-out",
      authority.cert,
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      "-addext",
      "basicConstraints=critical,CA:TRUE",
    ]);
    return authority;
  }

  /** An authority that another one has signed. */
  static async below(above: TestAuthority, name: string): Promise<TestAuthority> {
    const authority = new TestAuthority(above.directory, name);
    const at = (extension: string) => join(above.directory, `${name}.${extension}`);
    await writeFile(at("ext"), "basicConstraints=critical,CA:TRUE\n");
    await openssl(
      `req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=${name} ` +
        `-keyout ${authority.key} -out ${at("csr")}`,
    );
    await openssl(
      `x509 -req -in ${at("csr")} -CA ${above.cert} -CAkey ${above.key} -CAcreateserial ` +
        `-out ${authority.cert} -extfile ${at("ext")} -days 2`,
    );
    return authority;
  }

  /** Issues a certificate, as files `<name>.crt` and `<name>.key`. */
  async issue(name: string, options: IssueOptions = {}): Promise<Certificate> {
    const at = (extension: string) => join(this.directory, `${name}.${extension}`);
    const { subject = `/CN=${name}`, names = [], days = 1 } = options;
    await runOk("openssl", [
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      at("key"),
      "-out",
      at("csr"),
      "-subj",
      subject,
    ]);
    const usage = `extendedKeyUsage=${options.usage ?? "serverAuth,clientAuth"}\n`;
    await writeFile(
      at("ext"),
      names.length === 0 ? usage : `${usage}subjectAltName=${names.join(",")}\n`,
    );
    await runOk("openssl", [
      "x509",
      "-req",
      "-in",
      at("csr"),
      "-CA",
      this.cert,
      "-CAkey",
      this.key,
      "-CAcreateserial",
      "-out",
      at("crt"),
      "-extfile",
      at("ext"),
      "-days",
      String(days),
    ]);
    return { cert: at("crt"), key: at("key") };
  }
}

/** Runs one command of OpenSSL, given as one text with blanks between its words. */
export function openssl(command: string): Promise<Output> {
  return runOk("openssl", command.split(" "));
}
