// The options under `storage.metadata`: where the metadata lie, when not in the root directory.

import * as z from "zod";
import { optionTable } from "../lib/option.ts";
import { count, pathOrNone } from "../lib/option_types.ts";
import { parsePostgresUrl } from "./postgres/postgres_url.ts";

const schemaError = "the name of a schema, such as registry: small letters, digits and underscores";

/** Text that may be left empty; empty is null. */
const postgresUrl = z
  .string({ error: "the URL of a database of PostgreSQL" })
  .superRefine((value, context) => {
    if (value === "") return;
    const parsed = parsePostgresUrl(value);
    if ("expected" in parsed) context.addIssue({ code: "custom", message: parsed.expected });
  })
  .transform((value) => (value === "" ? null : value))
  .meta({ title: "URL" });

export const metadataOptions = optionTable({
  url: {
    type: postgresUrl,
    default: "",
    defaultSays: "SQLite in `rootDirectory`",
    served: true,
    applies: "restart",
    secret: true,
    says:
      "The database of PostgreSQL that holds the metadata, so that several servers can be one registry: " +
      "`postgres://user@host:port/database?sslmode=verify-full`. The content has to lie in a store of objects " +
      "(`storage.storageDriver`); `rootDirectory` then holds uploads on their way. Elsewhere than on this machine the " +
      "certificate of the server is verified (`sslmode=verify-full`). `?host=/run/postgresql` names a unix socket.",
  },
  passwordFile: {
    type: pathOrNone,
    default: "",
    served: true,
    applies: "restart",
    says:
      "File that holds the password of the database and nothing else, instead of one in the URL. It is read whenever " +
      "a connection is opened.",
  },
  ca: {
    type: pathOrNone,
    default: "",
    defaultSays: "the authorities of the system",
    served: true,
    applies: "restart",
    says: "PEM file with the authorities that may have signed the certificate of the database.",
  },
  schema: {
    type: z
      .string({ error: schemaError })
      .regex(/^(?!pg_)(?:[a-z_][a-z0-9_]{0,62})?$/, { error: schemaError })
      .transform((value) => (value === "" ? null : value))
      .meta({ title: "text" }),
    default: "",
    defaultSays: "the one that the database gives to the user, mostly `public`",
    served: true,
    applies: "restart",
    says: "Schema of the tables. It is made where it is missing and the user may.",
  },
  connections: {
    type: count(2, 64),
    default: 8,
    served: true,
    applies: "restart",
    says:
      "Connections to the database that each process of a server opens at most: every worker, the primary and the " +
      "process of heavy work. The database has to allow them all (`max_connections`).",
  },
});
