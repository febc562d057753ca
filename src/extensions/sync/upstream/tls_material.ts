/**
 * What a connection to an upstream is verified with: the authorities of the system and the runtime, those of `certDir`
 * and `caFile` beside them, and our own certificate for the upstream.
 */
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import type { TlsOptions } from "../../../client/connection.ts";
import { namesIn, readFile } from "../../../lib/operator_files.ts";

export interface TlsFiles {
  readonly verify: boolean;
  /** `*.crt` are authorities, `*.cert` and `*.key` our certificate; one that is not there says nothing, as in zot. */
  readonly certDir: string | null;
  readonly caFile: string | null;
}

/** @throws with one line for the operator. */
export function readTls({ verify, certDir, caFile }: TlsFiles): TlsOptions {
  const files = certDir === null ? [] : namesIn(certDir);
  const inDirectory = (ending: string): string[] =>
    files.filter((name) => name.endsWith(ending)).map((name) => read(join(certDir ?? "", name)));
  const authorities = [...inDirectory(".crt"), ...(caFile === null ? [] : [read(caFile)])];
  const cert = inDirectory(".cert").at(-1);
  const key = inDirectory(".key").at(-1);
  if ((cert === undefined) !== (key === undefined)) {
    const got = cert === undefined ? "*.key alone" : "*.cert alone";
    throw new Error(`${certDir}: expected *.cert and *.key, got ${got}`);
  }
  return {
    ca: [...known(), ...authorities].join("\n"),
    ...(verify ? {} : { insecure: true }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** Those that the runtime brings, the system's, and those of `NODE_EXTRA_CA_CERTS`. */
function known(): readonly string[] {
  return [
    ...new Set([
      ...getCACertificates("bundled"),
      ...getCACertificates("system"),
      ...getCACertificates("extra"),
    ]),
  ];
}

function read(path: string): string {
  const text = readFile(path);
  if (text.includes("-----BEGIN ")) return text;
  throw new Error(`${path}: expected certificates or a key in PEM, got something else`);
}
