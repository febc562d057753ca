/**
 * Takes in a whole registry of another kind: repository by repository, image by image, by the rules of a push. What is
 * there already is left alone, so that a run that was stopped or killed goes on; an image that cannot be read is told, and
 * the others go on. The source is read alone.
 */
import type { Config } from "../../config/schema.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Counts } from "../../transfer/copy_events.ts";
import { copyImages } from "../../transfer/copy_images.ts";
import type {
  ForeignImage,
  ForeignRegistry,
  ForeignRepository,
} from "../../transfer/foreign_registry.ts";
import type { Retries } from "../../transfer/retries.ts";
import { nameOfPlace } from "../moved_root.ts";
import { openMovedTarget } from "./moved_target.ts";
import { RepositoryTarget } from "./repository_target.ts";

export interface TakeInOptions {
  /** More may come: the target is not finished. */
  readonly isPrepared: boolean;
  /** Blobs at once. */
  readonly parallel: number;
  readonly retries: Retries;
  readonly isChosen: (repository: string) => boolean;
  readonly onEvent: (event: TakeInEvent) => void;
}

export interface FailedImage {
  readonly repository: string;
  /** A tag or a digest; null for the repository itself. */
  readonly reference: string | null;
  readonly reason: string;
}

export type TakeInEvent =
  | { readonly kind: "begun"; readonly from: string; readonly to: string }
  | { readonly kind: "repository"; readonly repository: string; readonly images: number }
  | { readonly kind: "image"; readonly repository: string; readonly reference: string }
  | { readonly kind: "bytes"; readonly bytes: number }
  | ({ readonly kind: "failed" } & FailedImage);

export interface TakeInReport {
  readonly from: string;
  readonly to: string;
  /** Whether the target can be served. */
  readonly isMoved: boolean;
  readonly repositories: number;
  readonly images: { readonly copied: number; readonly there: number };
  /** Some of them, where there are many. */
  readonly failed: readonly FailedImage[];
  readonly failures: number;
  readonly blobs: { readonly sent: Counts; readonly mounted: Counts; readonly there: Counts };
  readonly manifests: { readonly sent: Counts; readonly there: Counts };
}

/** Failures of which each is in the report; more are counted, and told when they happen. */
const failedToldMax = 1_000;

/** @throws Error with one line for the operator. */
export async function takeIn(
  from: ForeignRegistry,
  to: Config,
  options: TakeInOptions,
): Promise<TakeInReport> {
  const { clock } = options.retries;
  const name = nameOfPlace(to, clock);
  const past = new PastClock(clock);
  const target = await openMovedTarget(to, { from: from.label, name }, { clock, written: past });
  try {
    options.onEvent({ kind: "begun", from: from.label, to: name });
    const intake = new Intake(target.registry, past, options);
    for await (const repository of from.repositories()) {
      if (options.isChosen(repository.name)) await intake.add(repository);
    }
    if (!options.isPrepared) await target.end();
    const { isPrepared } = options;
    return { from: from.label, to: name, isMoved: !isPrepared, ...intake.report() };
  } finally {
    await target.close();
  }
}

/** Tells the time at which a tag was set, while it is. */
class PastClock implements Clock {
  readonly #clock: Clock;
  at: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.at ?? this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  sleep(...given: Parameters<Clock["sleep"]>): Promise<void> {
    return this.#clock.sleep(...given);
  }
}

const nothing = (): Counts => ({ count: 0, sizeBytes: 0 });

class Intake {
  readonly #registry: Registry;
  readonly #past: PastClock;
  readonly #options: TakeInOptions;
  readonly #failed: FailedImage[] = [];
  readonly #images = { copied: 0, there: 0 };
  readonly #blobs = { sent: nothing(), mounted: nothing(), there: nothing() };
  readonly #manifests = { sent: nothing(), there: nothing() };
  #failures = 0;
  #repositories = 0;

  constructor(registry: Registry, past: PastClock, options: TakeInOptions) {
    this.#registry = registry;
    this.#past = past;
    this.#options = options;
  }

  report() {
    return {
      repositories: this.#repositories,
      images: this.#images,
      failed: this.#failed,
      failures: this.#failures,
      blobs: this.#blobs,
      manifests: this.#manifests,
    };
  }

  async add({ name, source, images }: ForeignRepository): Promise<void> {
    const { retries, onEvent } = this.#options;
    this.#repositories += 1;
    try {
      const listed = await images();
      onEvent({ kind: "repository", repository: name, images: listed.length });
      const target = new RepositoryTarget(this.#registry, name);
      for (const image of listed) {
        retries.signal.throwIfAborted();
        this.#past.at = image.tag === null ? null : image.at;
        await this.#copy(image, { name, source, target });
      }
    } catch (error) {
      if (retries.signal.aborted) throw error;
      this.#fail({ repository: name, reference: null, reason: reasonOf(error) });
    } finally {
      this.#past.at = null;
      await source.close();
    }
  }

  async #copy(
    image: ForeignImage,
    {
      name,
      source,
      target,
    }: Pick<ForeignRepository, "name" | "source"> & { readonly target: RepositoryTarget },
  ): Promise<void> {
    const { parallel, retries, onEvent } = this.#options;
    const { reference, tag } = image;
    const report = await copyImages({
      source,
      target,
      images: [{ reference, tag }],
      platforms: [],
      withReferrers: true,
      parallel,
      retries,
      onEvent: (event) => {
        if (event.kind === "bytes") onEvent(event);
      },
    });
    onEvent({ kind: "image", repository: name, reference });
    for (const { outcome } of report.images) {
      this.#images[outcome] += 1;
    }
    for (const { reason } of report.failed) {
      this.#fail({ repository: name, reference, reason: reasonOf(reason) });
    }
    const { blobs, manifests } = report;
    add(this.#blobs.sent, blobs.sent);
    add(this.#blobs.mounted, blobs.mounted);
    add(this.#blobs.there, blobs.there);
    add(this.#manifests.sent, manifests.sent);
    add(this.#manifests.there, manifests.there);
  }

  #fail(failed: FailedImage): void {
    this.#failures += 1;
    if (this.#failed.length < failedToldMax) this.#failed.push(failed);
    this.#options.onEvent({ kind: "failed", ...failed });
  }
}

function add(to: Counts, { count, sizeBytes }: Counts): void {
  to.count += count;
  to.sizeBytes += sizeBytes;
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
