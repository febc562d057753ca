// The option `storage.subPaths`: stores beside the main one, by the first component of names, as in zot.
//
// An entry has the keys of `storage` that say where bytes lie and how they are collected, with zot's defaults for entries.
// With a `storageDriver` its directory has uploads on their way.

import * as z from "zod";
import { optionTable, type Option } from "../../lib/option.ts";
import { flag, pathOrNone } from "../../lib/option_types.ts";
import { storageOptions } from "../../storage/options.ts";
import { collectionOptions } from "../collection/options.ts";
import { retentionOptions } from "../retention/options.ts";

const section = { error: "a section with keys" };

const ownDirectory = { error: "the path of a directory of its own" };
const rootDirectory = pathOrNone
  .refine((path) => path !== null, ownDirectory)
  .transform((path) => path ?? "");

/** The schema of a row, with its default. */
function keyOf<T extends z.ZodType>({ type, default: standard }: Option<T>): z.ZodPrefault<T> {
  return z.prefault(type, standard);
}

const elsewhere = (key: string): string => `it as storage.${key}, which is about all stores`;

const subPath = z.strictObject(
  {
    rootDirectory,
    dedupe: flag.default(false),
    commit: keyOf(storageOptions.commit),
    gc: flag.default(false),
    gcDelay: keyOf(collectionOptions.gcDelay),
    gcInterval: keyOf(collectionOptions.gcInterval),
    gcTimeWindow: keyOf(collectionOptions.gcTimeWindow),
    retention: z
      .strictObject(
        {
          dryRun: keyOf(retentionOptions.dryRun),
          delay: keyOf(retentionOptions.delay),
          policies: keyOf(retentionOptions.policies),
        },
        section,
      )
      .prefault({}),
    storageDriver: keyOf(storageOptions.storageDriver),
    redirectBlobURL: keyOf(storageOptions.redirectBlobURL),
    // Known to zot, and not served in an entry.
    cacheDriver: z.unknown().optional(),
    remoteCache: flag.optional(),
    fastRestart: z.literal(false, { error: elsewhere("fastRestart") }).optional(),
    maxRepos: z.literal(0, { error: elsewhere("maxRepos") }).optional(),
  },
  section,
);

export type SubPathValues = z.output<typeof subPath>;

/** Entries by their keys, such as `/team`. */
export type SubPaths = Readonly<Record<string, SubPathValues>>;

export const subPathOptions = optionTable({
  subPaths: {
    type: z
      .record(z.string(), subPath, section)
      .transform((entries): SubPaths => entries)
      .meta({ title: "stores by path" }),
    default: {},
    defaultSays: "none: all repositories lie in `storage.rootDirectory`",
    served: true,
    applies: "live",
    inForce: (running, found) => entriesInForce(running, found),
    says:
      "Stores beside the main one, by the first component of names: the entry `/team` has `team/app` and all other names " +
      "below `team/`. Each has `rootDirectory`, `dedupe` (false), `commit` (true), `gc` (false), `gcDelay`, `gcInterval`, " +
      "`gcTimeWindow` and `retention`; with `storageDriver` and `redirectBlobURL` its content lies in a store of objects. " +
      "Which entries there are, and where their content lies, waits for a restart. " +
      "See [Several stores](../guides/stores.md).",
  },
});

/** What can be in force without a restart: the entries that run, with what may change in them. */
function entriesInForce(running: SubPaths, found: SubPaths): SubPaths {
  return Object.fromEntries(
    Object.entries(running).map(([key, entry]) => {
      const { rootDirectory: root, commit, storageDriver, redirectBlobURL } = entry;
      const opened = { rootDirectory: root, commit, storageDriver, redirectBlobURL };
      return [key, { ...(found[key] ?? entry), ...opened }];
    }),
  );
}
