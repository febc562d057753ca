// The flags that every command against a registry has, as rows for the table of commands.
//
// They stand apart from their reading (`registry_flags.ts`), so that the table loads nothing.

import type { Command } from "./command.ts";

export const registryOptions: Command["options"] = [
  {
    flags: "--user <user:password>",
    says: "login; without a password it is read from ZOT_PASSWORD",
  },
  { flags: "--token <token>", says: "Bearer token; also read from ZOT_TOKEN" },
  { flags: "--ca <file>", says: "certificates to trust (PEM)" },
  { flags: "--cert <file>", says: "client certificate (PEM)" },
  { flags: "--key <file>", says: "key of the client certificate (PEM)" },
  { flags: "--insecure", says: "accept any certificate" },
  {
    flags: "--timeout <seconds>",
    says: "give up after so much silence (default: 10 to connect, 30 to answer)",
  },
];

/** Of commands with two registries: the flags of one, which begin with its side. */
export function sideOptions(side: "from" | "to"): Command["options"] {
  const variable = (name: string): string => `ZOT_${side.toUpperCase()}_${name}`;
  const where = side === "from" ? "where it comes from" : "where it goes";
  return [
    {
      flags: `--${side}-user <user:password>`,
      says: `login ${where}; without a password it is read from ${variable("PASSWORD")}`,
    },
    {
      flags: `--${side}-token <token>`,
      says: `Bearer token; also read from ${variable("TOKEN")}`,
    },
    { flags: `--${side}-ca <file>`, says: "certificates to trust there (PEM)" },
    { flags: `--${side}-cert <file>`, says: "client certificate (PEM)" },
    { flags: `--${side}-key <file>`, says: "key of the client certificate (PEM)" },
    { flags: `--${side}-insecure`, says: "accept any certificate there" },
  ];
}

/** Of commands that ask a running server and print its answer. */
export const askOptions: Command["options"] = [
  { flags: "-f, --format <format>", says: "text or json (default: text)" },
  ...registryOptions,
];

/** What such a command names. */
export const targetSays =
  "[HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST]; without a host, the server of ZOT_SERVER or http://127.0.0.1:8080.";
