/**
 * One round of an entry with a `pollInterval`: the repositories and tags that its content chooses, each with all that
 * belongs to it. What is here costs one question; what failed is tried again, and then left to the next round.
 */
import type { Platform } from "../../../oci/descriptor.ts";
import { isRepositoryName } from "../../../oci/reference.ts";
import { mirrors } from "../../../metadata/mirrors.ts";
import type { Registry } from "../../../registry/registry.ts";
import { formatDuration } from "../../../lib/duration.ts";
import { copyImages } from "../../../transfer/copy_images.ts";
import { parsePlatform } from "../../../oci/platform.ts";
import type { NamedEntry } from "../names.ts";
import type { ContentValues } from "../options.ts";
import type { FetchParts } from "../pull_through/blob_fetch.ts";
import type { MirroredName } from "../pull_through/mirror.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import { LocalTarget } from "./local_target.ts";
import { removeLostTags } from "./lost_tags.ts";
import { isSigned } from "../signed.ts";
import { chosenTags } from "./tag_filter.ts";
import { UpstreamSource } from "./upstream_source.ts";

export interface RoundParts {
  readonly entry: NamedEntry;
  /** One for each URL, in the order of the file. */
  readonly mirrors: readonly MirroredName["mirror"][];
  readonly fetch: FetchParts;
}

/** Blobs of an image at once, within what the gate of the upstream allows. */
const parallelDefault = 4;
const glob = /[*?[\]{}\\]/;
/** Repositories of one entry; the rest of a longer list is left out, and said. */
const repositoriesMax = 10_000;

export class SyncRound {
  readonly #parts: RoundParts;
  readonly #registry: Registry;
  readonly #signal: AbortSignal;
  readonly #host: string;

  constructor(parts: RoundParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#registry = parts.fetch.registry;
    this.#signal = signal;
    this.#host = parts.entry.hosts[0] ?? "";
  }

  /** @throws UpstreamTrouble when none of its URLs tells what it has. */
  async run(): Promise<void> {
    const names = await this.#fromFirst((mirror) => this.#names(mirror));
    this.#tell("info", "finished generating tasks to sync repositories", {
      repositories: names.length,
    });
    for (const name of names) {
      this.#signal.throwIfAborted();
      await this.#withRetries(name, () =>
        this.#fromFirst((mirror) => this.#repository(mirror, name)),
      );
    }
    this.#tell("info", "finished a round of an upstream", { repositories: names.length });
  }

  /** The work with the first URL that can do it. */
  async #fromFirst<T>(work: (mirror: MirroredName["mirror"]) => Promise<T>): Promise<T> {
    let trouble: unknown = null;
    for (const mirror of this.#parts.mirrors) {
      try {
        return await work(mirror);
      } catch (error) {
        if (!(error instanceof UpstreamTrouble)) throw error;
        trouble = error;
      }
    }
    throw trouble ?? new Error("an entry has a URL");
  }

  async #withRetries(name: string, work: () => Promise<void>): Promise<void> {
    const { maxRetries = 0, retryDelay = 0, maxRetryDelay = retryDelay } = this.#parts.entry.values;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await work();
        return;
      } catch (error) {
        this.#signal.throwIfAborted();
        const problem = error instanceof Error ? error.message : String(error);
        if (attempt >= maxRetries) {
          this.#tell("error", "a repository could not be synced", { name, problem });
          return;
        }
        const delayMs = Math.min(retryDelay * 2 ** attempt, Math.max(maxRetryDelay, retryDelay));
        await this.#registry.clock.sleep(delayMs, this.#signal);
      }
    }
  }

  /** Names at the upstream. Prefixes without a glob need no list of all names. */
  async #names({ upstream }: MirroredName["mirror"]): Promise<string[]> {
    const { values, rules } = this.#parts.entry;
    const literal = values.content
      .map(({ prefix }) => prefix.replace(/^\/+|\/+$/g, ""))
      .filter((prefix) => !glob.test(prefix) && isRepositoryName(prefix));
    if (literal.length === values.content.length) return [...new Set(literal)];
    const found = new Set<string>();
    try {
      for await (const name of upstream.catalog()) {
        if (rules.localName(name) === null) {
          this.#tell("info", "will not sync image, filtered out by content", { name });
          continue;
        }
        found.add(name);
        if (found.size < repositoriesMax) continue;
        this.#tell("warn", "only the first repositories are synced", {
          repositories: repositoriesMax,
        });
        break;
      }
    } catch (error) {
      if (!(error instanceof UpstreamTrouble) || literal.length === 0) throw error;
      this.#tell(
        "warn",
        "the upstream lists no repositories; only those without a glob are synced",
        {
          problem: error.message,
        },
      );
      return [...new Set(literal)];
    }
    return [...found].sort();
  }

  async #repository(mirror: MirroredName["mirror"], name: string): Promise<void> {
    const { rules, values } = this.#parts.entry;
    const repository = rules.localName(name);
    const rule = rules.ruleOf(name);
    if (repository === null || rule === null) return;
    const origin = await this.#registry.metadata.records(mirrors).origin(repository);
    if (origin !== null && origin !== this.#host) {
      this.#tell("warn", "a repository comes from another upstream, and is not synced", {
        repository,
        origin,
      });
      return;
    }
    const listed = await mirror.upstream.tags(name);
    if (listed === null) return;
    this.#tell("info", "sync: syncing repo", { repository });
    const failed = await this.#images({ mirror, name }, { repository, rule, listed });
    if (values.propagateDeletes) await this.#deletes(repository, listed);
    if (failed !== null) throw failed;
    this.#tell("info", "finished syncing repo", { repository });
  }

  /** Returns what failed first; null when nothing did. */
  async #images(
    from: MirroredName,
    to: { repository: string; rule: ContentValues; listed: readonly string[] },
  ): Promise<unknown> {
    const { onlySigned, syncLegacyCosignTags: withCosignTags } = this.#parts.entry.values;
    const source = new UpstreamSource(from.mirror.upstream, { name: from.name, withCosignTags });
    let failed: unknown = null;
    for (const tag of chosenTags(to.listed, to.rule)) {
      this.#signal.throwIfAborted();
      const image = { repository: to.repository, tag };
      try {
        if (onlySigned && !(await this.#isSigned(from, source, tag))) {
          this.#tell("info", "skipping image without mandatory signature", image);
          continue;
        }
        await this.#image(from, source, image);
      } catch (error) {
        this.#signal.throwIfAborted();
        failed ??= error;
        const problem = error instanceof Error ? error.message : String(error);
        this.#tell("error", "an image could not be synced", { ...image, problem });
      }
    }
    return failed;
  }

  async #isSigned(
    { mirror, name }: MirroredName,
    source: UpstreamSource,
    tag: string,
  ): Promise<boolean> {
    const digest = await source.head(tag);
    if (digest === null) return false;
    const { syncLegacyCosignTags: withCosignTags } = this.#parts.entry.values;
    return isSigned(mirror.upstream, { name, digest }, { withCosignTags });
  }

  async #image(
    from: MirroredName,
    source: UpstreamSource,
    { repository, tag }: { repository: string; tag: string },
  ): Promise<void> {
    const { values } = this.#parts.entry;
    const parallel = Math.min(values.reqConcurrent ?? parallelDefault, 64);
    const onOwnTag = (own: string): void =>
      this.#tell("info", "a tag was pushed here, and stays", { repository, tag: own });
    const { clock } = this.#registry;
    const over = new AbortController();
    const late = new AbortController();
    const signal = AbortSignal.any([this.#signal, late.signal]);
    const timer = clock.sleep(values.syncTimeout, over.signal).then(() => {
      if (over.signal.aborted) return;
      late.abort(new Error(`the image did not come within ${formatDuration(values.syncTimeout)}`));
    });
    const parts = this.#parts.fetch;
    const target = new LocalTarget({ parts, repository, source: from, parallel, signal, onOwnTag });
    try {
      this.#tell("info", "syncing image", { repository, tag });
      const report = await copyImages({
        source,
        target,
        images: [{ reference: tag, tag }],
        platforms: values.platforms.flatMap((text): Platform[] => {
          const platform = parsePlatform(text);
          return platform === null ? [] : [platform];
        }),
        keepsIndexes: true,
        withReferrers: true,
        parallel,
        retries: { clock, signal, attemptsMax: 1, pauseMs: 0 },
      });
      const [failed] = report.failed;
      if (failed !== undefined) throw failed.reason;
      const isThere = report.images[0]?.outcome === "there" && report.referrers === 0;
      const says = isThere
        ? "skipping image because it's already synced"
        : "successfully synced image";
      this.#tell("info", says, { repository, tag });
    } finally {
      over.abort();
      await timer;
    }
  }

  async #deletes(repository: string, listed: readonly string[]): Promise<void> {
    const there = new Set(listed);
    const { removed, believed } = await removeLostTags(this.#registry, {
      repository,
      there,
      signal: this.#signal,
    });
    if (removed > 0)
      this.#tell("info", "removed tags that are gone at the upstream", {
        repository,
        tags: removed,
      });
    if (!believed) {
      this.#tell("warn", "the upstream lost more than half of its tags: nothing is removed", {
        repository,
      });
    }
  }

  #tell(level: "info" | "warn" | "error", message: string, fields: object): void {
    this.#registry.report(level, message, { upstream: this.#host, ...fields });
  }
}
