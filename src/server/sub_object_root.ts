/**
 * Stores of objects of entries of `storage.subPaths`: opened, tried, and paired with the metadata of the main root.
 *
 * Each has its own `registry.json`, whose id is that of the registry with the first component of the names that lie there:
 * a store belongs to one registry and to one entry. The metadata note which entries there were, so that names are never
 * looked for where their content does not lie.
 */
import type { Config } from "../config/schema.ts";
import type { Clock } from "../lib/clock.ts";
import type { Committer, Metadata } from "../metadata/metadata.ts";
import { objects, type ObjectChange, type ObjectReads } from "../metadata/objects.ts";
import { recordCommit } from "../metadata/records.ts";
import { objectsUnderLock } from "../metadata/sql/objects_under_lock.ts";
import { driverPlace } from "../storage/driver_place.ts";
import { openScratch } from "../storage/filesystem/open_scratch.ts";
import { openObjectStore } from "../storage/objects/open_object_store.ts";
import { openObjects } from "../storage/objects/open_objects.ts";
import type { ObjectStore } from "../storage/objects/object_store.ts";
import { hasObjects, readRegistry, writeRegistry } from "../storage/objects/registry_id.ts";
import { objectRecords } from "./object_records.ts";
import { redirectSeconds } from "./redirect_seconds.ts";
import { objectEntriesOf, type ObjectEntry, type OpenedPlace } from "./sub_stores.ts";

/** Tells the operator in a line. */
export type Tell = (line: string) => void;

export class SubObjectRoot {
  readonly #entries: readonly ObjectEntry[];
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #stores = new Map<string, ObjectStore>();
  readonly #outages = new Map<string, string>();
  /** Places that are open: the last one closes what they share. */
  #opened = 0;

  constructor(storage: Config["storage"], { clock, tell }: { clock: Clock; tell: Tell }) {
    this.#entries = objectEntriesOf(storage);
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Tries each of them. @throws with a line for the operator for each that cannot be used. */
  async probe(): Promise<void> {
    const tried = this.#entries.map((entry) =>
      this.#storeOf(entry)
        .probe()
        .then(
          () => [],
          (error: unknown) => [refused(entry, error).message],
        ),
    );
    const problems = (await Promise.all(tried)).flat();
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }

  /** Makes sure that each is the one of the metadata. @throws with one line for the operator. */
  async pair(metadata: Metadata, committer: Committer): Promise<void> {
    const reads = metadata.records(objects);
    const known = new Map((await reads.stores()).map(({ store, place }) => [store, place]));
    if (known.size === 0 && this.#entries.length === 0) return;
    const write = async (change: ObjectChange): Promise<void> => {
      await committer.commit(recordCommit(objects, change));
    };
    for (const [component, place] of known) {
      if (this.#entries.some((entry) => entry.component === component)) continue;
      await requireNothingIn(component, { place, reads });
      await write({ kind: "unset", value: `store:${component}` });
      this.#tell(
        `storage.subPaths: nothing lies in ${place} any more; what is left there is not removed`,
      );
    }
    const id = await registryId(reads, write);
    for (const entry of this.#entries) {
      const isKnown = known.has(entry.component);
      try {
        await this.#pairEntry(entry, { metadata, reads, write, id, isKnown });
      } catch (error) {
        throw refused(entry, error);
      }
    }
  }

  async #pairEntry(
    entry: ObjectEntry,
    parts: {
      readonly metadata: Metadata;
      readonly reads: ObjectReads;
      readonly write: (change: ObjectChange) => Promise<void>;
      readonly id: string;
      readonly isKnown: boolean;
    },
  ): Promise<void> {
    const { metadata, reads, write, id, isKnown } = parts;
    const { component, driver } = entry;
    const store = this.#storeOf(entry);
    const own = `${id}/${component}`;
    const found = (await readRegistry(store))?.id ?? null;
    if (found !== null && found !== own) {
      throw new Error(
        `expected the store of names below ${component}/ of this registry, found that of another one (${found}); ` +
          "give another bucket or rootdirectory",
      );
    }
    if (!isKnown && (await liesBelow(component, metadata))) {
      throw new Error(
        `expected no repositories below ${component}/ yet, found some whose content lies elsewhere, and is not moved; ` +
          "remove the entry, or copy them (zot copy) to a registry that has it",
      );
    }
    const lost = found === null && (await isNamed(component, reads));
    if (lost || (found === null && (await hasObjects(store)))) {
      throw new Error(
        "expected registry.json there, which says whose it is, found none though there is content; " +
          "give the bucket, or the metadata, that it belongs to",
      );
    }
    // First here: a store that has an id which nobody knows could be given to nobody.
    const text = driverPlace(driver).says;
    if ((await reads.value(`store:${component}`)) !== text) {
      await write({ kind: "set", value: `store:${component}`, text });
    }
    if (found === null) await writeRegistry(store, { id: own, restores: 0 });
  }

  /** Opens one for a process; `metadata` is asked when it is first needed. */
  open(entry: ObjectEntry, metadata: () => Metadata): OpenedPlace {
    const { component, rootDirectory, redirects } = entry;
    const scratch = openScratch({ rootDirectory, clock: this.#clock });
    const stores = openObjects({
      store: this.#storeOf(entry),
      records: objectRecords(metadata, component),
      clock: this.#clock,
      scratch,
      sessions: null,
      redirectSeconds: redirects ? redirectSeconds : null,
    });
    this.#opened += 1;
    return {
      bytes: objectsUnderLock,
      prepare: () => scratch.prepare(),
      onOutage: (problem) => this.#tellOutage(entry, problem),
      stores: {
        ...stores,
        close: async () => {
          await stores.close();
          this.#opened -= 1;
          if (this.#opened > 0) return;
          for (const store of this.#stores.values()) await store.close();
          this.#stores.clear();
        },
      },
    };
  }

  /** Once when it begins, and once when it is over. */
  #tellOutage(entry: ObjectEntry, problem: unknown): void {
    const { component, option } = entry;
    const before = this.#outages.get(component) ?? null;
    if (problem === null) {
      this.#outages.delete(component);
      if (before !== null) this.#tell(`${option}: the store answers again`);
      return;
    }
    const { message } = refused(entry, rootCause(problem));
    this.#outages.set(component, message);
    if (before === null) {
      this.#tell(`${message}; requests for names below ${component}/ are answered 503 meanwhile`);
    }
  }

  /** @throws with one line where files of the driver cannot be read. */
  #storeOf(entry: ObjectEntry): ObjectStore {
    const { component, driver, option } = entry;
    const opened =
      this.#stores.get(component) ??
      openObjectStore(driver, {
        clock: this.#clock,
        env: process.env,
        report: (line) => this.#tell(`${option}: ${line}`),
      });
    this.#stores.set(component, opened);
    return opened;
  }
}

/** The one that the bucket of the main store has, or one of its own where that is a directory. */
async function registryId(
  reads: ObjectReads,
  write: (change: ObjectChange) => Promise<void>,
): Promise<string> {
  const known = (await reads.value("registry")) ?? (await reads.value("id"));
  if (known !== null) return known;
  const text = crypto.randomUUID();
  await write({ kind: "set", value: "id", text });
  return text;
}

async function requireNothingIn(
  component: string,
  { place, reads }: { readonly place: string; readonly reads: ObjectReads },
): Promise<void> {
  if (!(await isNamed(component, reads))) return;
  throw new Error(
    `storage.subPaths["/${component}"].storageDriver: expected the store that holds the content of names below ` +
      `${component}/ (${place}), got none; name it again`,
  );
}

/** Whether a name below the component leads to an object. */
async function isNamed(component: string, reads: ObjectReads): Promise<boolean> {
  const [first] = await reads.names({ repository: `${component}/`, name: "" }, 1);
  return first?.repository.startsWith(`${component}/`) === true;
}

async function liesBelow(component: string, metadata: Metadata): Promise<boolean> {
  const [first] = await metadata.repositories({ after: `${component}/`, limit: 1 });
  return (
    first?.startsWith(`${component}/`) === true || isNamed(component, metadata.records(objects))
  );
}

function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

/** What keeps a server from a store, with the option that names it. */
function refused({ option }: ObjectEntry, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(`${option}: ${text}`, { cause: error });
}
