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

/** Which registry a flag is for, in commands with two: its flags begin so, as in `--from-user`. */
export type Side = "" | "from" | "to";

/** The name of an option, of its flag, and of a variable, of a side. */
function optionOf(side: Side, name: string): string {
  return side === "" ? name : `${side}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
function flagOf(side: Side, name: string): string {
  return side === "" ? `--${name}` : `--${side}-${name}`;
}
function variableOf(side: Side, name: string): string {
  return side === "" ? `ZOT_${name}` : `ZOT_${side.toUpperCase()}_${name}`;
}

export function credentialsOf(given: Given, side: Side = ""): Credentials {
  const givenToken = text(given, optionOf(side, "token"));
  const token = givenToken ?? process.env[variableOf(side, "TOKEN")] ?? null;
  const login = text(given, optionOf(side, "user"));
  if (login !== null && givenToken !== null) {
    throw new Mistake(`expected ${flagOf(side, "user")} or ${flagOf(side, "token")}, got both`);
  }
  if (login === null) return token === null ? { kind: "anonymous" } : { kind: "token", token };
  const colon = login.indexOf(":");
  const variable = variableOf(side, "PASSWORD");
  const password = colon === -1 ? process.env[variable] : login.slice(colon + 1);
  if (password === undefined) {
    throw new Mistake(
      `expected ${flagOf(side, "user")} name:password, or the password in ${variable}; got a name only`,
    );
  }
  return { kind: "password", user: colon === -1 ? login : login.slice(0, colon), password };
}

export async function tlsOf(given: Given, side: Side = ""): Promise<TlsOptions> {
  const [ca, cert, key] = ["ca", "cert", "key"].map((name) => text(given, optionOf(side, name)));
  if ((cert === null) !== (key === null)) {
    throw new Mistake(
      `expected ${flagOf(side, "cert")} and ${flagOf(side, "key")} together, got one`,
    );
  }
  const pem = async (name: string, path: string | null | undefined): Promise<object> =>
    path === null || path === undefined ? {} : { [name]: await read(path) };
  return {
    ...(await pem("ca", ca)),
    ...(await pem("cert", cert)),
    ...(await pem("key", key)),
    ...(given.options[optionOf(side, "insecure")] === true ? { insecure: true } : {}),
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
