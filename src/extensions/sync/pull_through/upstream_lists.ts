/** Lists of an upstream, remembered for a while: its tags, and the referrers of a digest. */
import type { Clock } from "../../../lib/clock.ts";
import { MiB } from "../../../lib/bytes.ts";
import { Lru } from "../../../lib/lru.ts";
import type { Descriptor } from "../../../oci/descriptor.ts";
import { isTag } from "../../../oci/reference.ts";
import type { UpstreamList } from "../../../registry/origin.ts";
import type { Registry } from "../../../registry/registry.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { joinedBy, type MirroredName } from "./mirror.ts";
import { isAbsence, troubleError } from "./upstream_answers.ts";

/** How long a list is served without a question. */
const tagsLastMs = 5 * 60_000;
const referrersLastMs = 60_000;
/** A list that is empty: signatures come shortly after their image. */
const emptyLastsMs = 2_000;
/** Lists that are remembered, per worker, and what all of them may weigh. */
const listsMax = 1_000;
const listBytesMax = 64 * MiB;
/** What an entry weighs beside its text. */
const entryBytes = 64;
/** Tags of one upstream repository that are shown. */
const tagsMax = 100_000;

interface Remembered<T> {
  readonly items: readonly T[] | null;
  readonly untilMs: number;
}

export class UpstreamLists {
  readonly #registry: Registry;
  readonly #tags: ListMemory<string>;
  readonly #referrers: ListMemory<Descriptor>;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#tags = new ListMemory(registry.clock, tagsLastMs);
    this.#referrers = new ListMemory(registry.clock, referrersLastMs);
  }

  forget(): void {
    this.#tags.forget();
    this.#referrers.forget();
  }

  /** Null where the upstreams have nothing. @throws an API error where they cannot be asked and nothing is here. */
  async tags(
    repository: string,
    sources: readonly MirroredName[],
  ): Promise<UpstreamList<string> | null> {
    const merging = sources.filter(({ mirror }) => mirror.mergesTags);
    const list = await this.#ask(repository, merging, (source) => {
      const { mirror, name } = source;
      return this.#tags.get(`${mirror.upstream.host} ${name}`, source, async () =>
        sortedTags(await mirror.upstream.tags(name)),
      );
    });
    if (list === null || list.items.length <= tagsMax) return list;
    const warning = `of more than ${tagsMax} tags the first are listed`;
    return { items: list.items.slice(0, tagsMax), warning };
  }

  async referrers(
    repository: string,
    subject: string,
    sources: readonly MirroredName[],
  ): Promise<UpstreamList<Descriptor> | null> {
    return this.#ask(repository, sources, (source) => {
      const { mirror, name } = source;
      return this.#referrers.get(`${mirror.upstream.host} ${name}@${subject}`, source, async () => {
        const found = await mirror.upstream.referrers(name, subject);
        return found?.manifests ?? null;
      });
    });
  }

  async #ask<T>(
    repository: string,
    sources: readonly MirroredName[],
    ask: (source: MirroredName) => Promise<readonly T[] | null>,
  ): Promise<UpstreamList<T> | null> {
    let trouble: UpstreamTrouble | null = null;
    for (const source of sources) {
      try {
        const items = await ask(source);
        if (items !== null) return { items, warning: null };
      } catch (error) {
        if (!(error instanceof UpstreamTrouble)) throw error;
        if (!isAbsence(error)) trouble ??= error;
      }
    }
    if (trouble === null) return null;
    if (!(await this.#registry.metadata.repositoryExists(repository))) throw troubleError(trouble);
    return { items: [], warning: `from cache alone: ${trouble.message}` };
  }
}

/** Questions at the same time are one. */
class ListMemory<T> {
  readonly #clock: Clock;
  readonly #lastsMs: number;
  readonly #asking = new Map<string, Promise<readonly T[] | null>>();
  readonly #lists = new Lru<string, Remembered<T>>({
    entriesMax: listsMax,
    weightMax: listBytesMax,
    weigh: ({ items }) =>
      items === null ? 0 : JSON.stringify(items).length + items.length * entryBytes,
  });

  constructor(clock: Clock, lastsMs: number) {
    this.#clock = clock;
    this.#lastsMs = lastsMs;
  }

  forget(): void {
    this.#lists.clear();
  }

  async get(
    key: string,
    source: MirroredName,
    ask: () => Promise<readonly T[] | null>,
  ): Promise<readonly T[] | null> {
    // A mirror that is asked through many others may have less to say.
    const joined = joinedBy(key, source);
    const known = this.#lists.get(joined);
    if (known !== null && known.untilMs > this.#clock.monotonicMs()) return known.items;
    const running = this.#asking.get(joined);
    if (running !== undefined) return running;
    const asking = this.#askAnew(joined, ask).finally(() => this.#asking.delete(joined));
    this.#asking.set(joined, asking);
    return asking;
  }

  async #askAnew(
    key: string,
    ask: () => Promise<readonly T[] | null>,
  ): Promise<readonly T[] | null> {
    const items = await ask();
    const lastsMs = (items?.length ?? 0) === 0 ? emptyLastsMs : this.#lastsMs;
    this.#lists.set(key, { items, untilMs: this.#clock.monotonicMs() + lastsMs });
    return items;
  }
}

/** In byte order, which is theirs as text: tags are ASCII. */
function sortedTags(tags: readonly string[] | null): readonly string[] | null {
  if (tags === null) return null;
  const valid = [...new Set(tags.filter(isTag))];
  return valid.sort((one, other) => (one < other ? -1 : Number(one > other)));
}
