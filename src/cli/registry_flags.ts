// The flags that every command against a registry has (login, TLS, time limits), and the messages for mistakes in them.
//
// A `Mistake` is one line for the person who typed the command. Secrets may come from the environment, so that they
// need not stand on a command line.

import { readFile, writeFile } from "node:fs/promises";
import type { Credentials } from "../client/client_auth.ts";
import type { IdleLimits, TlsOptions } from "../client/connection.ts";
import type { Given } from "./command.ts";

/** A mistake on the command line: one line for the user. */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

/** The value of an option that takes one; null when it was not given. */
export function text(given: Given, name: string): string | null {
  const value = given.options[name];
  return typeof value === "string" ? value : null;
}

export function credentialsOf(given: Given): Credentials {
  const token = text(given, "token") ?? process.env["ZOT_TOKEN"] ?? null;
  const login = text(given, "user");
  if (login !== null && text(given, "token") !== null) {
    throw new Mistake("expected --user or --token, got both");
  }
  if (login === null) return token === null ? { kind: "anonymous" } : { kind: "token", token };
  const colon = login.indexOf(":");
  const password = colon === -1 ? process.env["ZOT_PASSWORD"] : login.slice(colon + 1);
  if (password === undefined) {
    throw new Mistake(
      "expected --user name:password, or the password in ZOT_PASSWORD; got a name only",
    );
  }
  return { kind: "password", user: colon === -1 ? login : login.slice(0, colon), password };
}

export async function tlsOf(given: Given): Promise<TlsOptions> {
  const [ca, cert, key] = [text(given, "ca"), text(given, "cert"), text(given, "key")];
  if ((cert === null) !== (key === null))
    throw new Mistake("expected --cert and --key together, got one");
  return {
    ...(ca === null ? {} : { ca: await read(ca) }),
    ...(cert === null ? {} : { cert: await read(cert) }),
    ...(key === null ? {} : { key: await read(key) }),
    ...(given.options["insecure"] === true ? { insecure: true } : {}),
  };
}

export function limitsOf(given: Given): { limits?: Partial<IdleLimits> } {
  const seconds = text(given, "timeout");
  if (seconds === null) return {};
  const value = Number(seconds);
  if (!(value > 0)) throw new Mistake(`expected --timeout in seconds, got '${seconds}'`);
  return { limits: { connectMs: value * 1000, idleMs: value * 1000 } };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Mistake(`expected a file at '${path}'; it cannot be read`, { cause: error });
  }
}

export async function write(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (error) {
    throw new Mistake(`expected to write to '${path}'; that cannot be done`, {
      cause: error,
    });
  }
}
