/**
 * Refuses what quotas have no room for before its bytes are sent, and reserves room for what is on its way. The commit
 * decides (`metadata/sql/quota_check.ts`): this spares a client the transfer, and other pushes a refusal at their
 * end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../../lib/bytes.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import { quotaFigures, usage, type QuotaUsage } from "../../metadata/usage.ts";
import type { Digest } from "../../oci/digest.ts";
import { ApiError, apiError } from "../../oci/errors.ts";
import { quotaName, quotaRefusal } from "./quota_error.ts";
import { reservationKey, type Reservations, type Reserved } from "./reservations.ts";

/** How often, and how soon, another look is taken at a quota that seems to have no room. */
const looksMax = 4;
const lookAgainMs = 25;

/** A request that brings bytes. */
export interface Incoming {
  readonly repository: string;
  /** Names the upload; its reservation goes on with the next request. */
  readonly upload: string;
  /** What it will be; null while that is not known. Content that a quota has already needs no room in it. */
  readonly digest: Digest | null;
  /** What has arrived so far, before the request and after it. */
  readonly held: () => number;
  /** What the request announces; null where it does not say. */
  readonly lengthBytes: number | null;
  /** Whether the upload ends with this request. */
  readonly isLast: boolean;
}

/** Runs a request; an upload that does not say how long it is may have `bytesMax` bytes. */
export type Guarded<T> = (bytesMax: number | null) => Promise<T>;

/** Quotas of bytes, by their place in the configuration. */
type Quotas = ReadonlyMap<number, QuotaUsage>;

export class QuotaGuard {
  readonly #metadata: Metadata;
  readonly #reservations: Reservations;

  constructor(metadata: Metadata, reservations: Reservations) {
    this.#metadata = metadata;
    this.#reservations = reservations;
  }

  /** For an upload that is to begin: at least a byte must fit. @throws QUOTA_EXCEEDED. */
  async requireRoom(repository: string, digest: Digest | null): Promise<void> {
    const { quotas, tightest } = await this.#find({ repository, digest, bytes: 1 });
    if (tightest === null || tightest.roomBytes >= 1) return;
    throw refusal(quotas, tightest, { bytes: 1 });
  }

  /** Whether content of this size may come into a repository. */
  async hasRoom(repository: string, digest: Digest, sizeBytes: number): Promise<boolean> {
    const { tightest } = await this.#find({ repository, digest, bytes: sizeBytes });
    return tightest === null || tightest.roomBytes >= sizeBytes;
  }

  /** Runs a request with its bytes reserved. @throws QUOTA_EXCEEDED, before it runs where they do not fit. */
  async during<T>(incoming: Incoming, work: Guarded<T>): Promise<T> {
    const { repository, digest, held, lengthBytes, isLast } = incoming;
    const key = reservationKey(incoming.upload);
    const bytes = held() + (lengthBytes ?? 0);
    const { quotas, tightest } = await this.#find({ repository, digest, bytes, key });
    if (tightest === null) return work(null);
    if (tightest.roomBytes < bytes) throw refusal(quotas, tightest, { bytes });
    let goesOn = false;
    try {
      const done = await work(lengthBytes === null ? tightest.roomBytes : null);
      goesOn = !isLast;
      return done;
    } catch (error) {
      if (lengthBytes !== null || !isTooLarge(error)) throw error;
      throw refusal(quotas, tightest, { bytes: tightest.roomBytes + 1, isOpen: true });
    } finally {
      if (goesOn) this.#reservations.rest(key, held());
      else this.#reservations.release(key);
    }
  }

  /** An upload was cancelled. */
  forget(upload: string): void {
    this.#reservations.release(reservationKey(upload));
  }

  /** What a push is told when a quota is used beyond its warning; null for nothing. */
  async warning(repository: string): Promise<string | null> {
    for (const quota of await this.#metadata.records(usage).quotasOf(repository)) {
      const figure = quotaFigures.find((each) => isWarned(quota, each));
      if (figure === undefined || quota.isMaxRepos) continue;
      const [used, limit] = [quota.used[figure], quota.limits[figure] ?? 0];
      const says =
        figure === "bytes"
          ? `${formatBytes(used)} used of ${formatBytes(limit)}`
          : `${used} of ${limit} ${figure} used`;
      return `quota of ${quotaName(quota.name)}: ${says}`;
    }
    return null;
  }

  /**
   * The quota that has the least room, null when there is none; with a key the bytes are reserved where they fit. Between
   * the commit of an upload and the end of its reservation it counts twice: where there seems to be no room, another
   * look is taken soon.
   */
  async #find(asked: {
    readonly repository: string;
    readonly digest: Digest | null;
    readonly bytes: number;
    readonly key?: number;
  }): Promise<{ readonly quotas: Quotas; readonly tightest: Reserved | null }> {
    const { repository, digest, bytes, key } = asked;
    for (let look = 1; ; look += 1) {
      const quotas = await this.#quotas(repository, digest);
      if (quotas.size === 0) return { quotas, tightest: null };
      const rooms = roomsOf(quotas);
      const reserved =
        key === undefined
          ? this.#reservations.look(rooms)
          : this.#reservations.reserve(key, bytes, rooms);
      const tightest = reserved.reduce((one, other) =>
        other.roomBytes < one.roomBytes ? other : one,
      );
      const isShort = tightest.roomBytes < bytes;
      // Without reservations of others there is nothing to wait for.
      if (!isShort || tightest.reservedBytes === 0 || look >= looksMax) return { quotas, tightest };
      await sleep(lookAgainMs);
    }
  }

  /** Those of bytes, without those that have the content already. */
  async #quotas(repository: string, digest: Digest | null): Promise<Quotas> {
    const reads = this.#metadata.records(usage);
    const found = new Map<number, QuotaUsage>();
    for (const quota of await reads.quotasOf(repository)) {
      if (quota.limits.bytes === null) continue;
      if (digest !== null && (await reads.isHeldIn(quota.id, digest))) continue;
      found.set(quota.place, quota);
    }
    return found;
  }
}

function roomsOf(quotas: Quotas) {
  return [...quotas].map(([place, { limits, used }]) => ({
    place,
    roomBytes: (limits.bytes ?? 0) - used.bytes,
  }));
}

function isWarned({ limits, used, warnAt }: QuotaUsage, figure: keyof QuotaUsage["used"]): boolean {
  const limit = limits[figure];
  return limit !== null && used[figure] > 0 && used[figure] >= limit * warnAt;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof ApiError && error.reason === "UPLOAD_TOO_LARGE";
}

interface Need {
  readonly bytes: number;
  /** It did not say how long it is: it needs this much at least. */
  readonly isOpen?: boolean;
}

function neededBy({ bytes, isOpen = false }: Need): string {
  // Of what has not begun, or has not said its length, nobody knows more.
  if (bytes <= 1) return "room";
  return isOpen ? `more than ${formatBytes(bytes - 1)}` : formatBytes(bytes);
}

function refusal(quotas: Quotas, { place, reservedBytes }: Reserved, need: Need): ApiError {
  const quota = quotas.get(place);
  const { reason, ...options } = quotaRefusal(
    {
      scope: quota?.name ?? "",
      figure: "bytes",
      limit: quota?.limits.bytes ?? 0,
      used: (quota?.used.bytes ?? 0) + reservedBytes,
      need: need.bytes,
      isMaxRepos: false,
    },
    `this layer needs ${neededBy(need)}`,
  );
  return apiError(reason, options);
}
