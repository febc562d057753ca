/**
 * API keys: passwords that a user makes for programs, each with a label, an expiry and scopes, and revoked one by one.
 *
 * A key is shown once, when it is made; only its SHA-256 is stored, which is enough because a key has 128 random bits.
 * A key never does more than its scopes and its user may do now, and it ends when the user is gone. Using a key writes
 * to the metadata at most every five minutes.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import { apiKeys, type ApiKeyReads, type ApiKeyRecord } from "../metadata/api_keys.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";
import type { Identity } from "./identity.ts";
import { isLoginMethod } from "./identity.ts";
import { loginMethodOf } from "./named_user.ts";
import type { PresentOwner } from "./owners.ts";
import { emptyScope, keyScope } from "./scope.ts";

export const keyPrefix = "zak_";
const keyPattern = /^zak_[0-9a-f]{32}$/;
/** Keys of one user. */
export const keysMax = 100;
const touchMs = 5 * 60_000;

/** What a user says of a key to be made. */
export interface NewApiKey {
  readonly label: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
  readonly madeWith: string;
}

export class ApiKeys {
  readonly #metadata: Metadata;
  readonly #records: ApiKeyReads;
  readonly #clock: Clock;

  constructor(metadata: Metadata, clock: Clock) {
    this.#metadata = metadata;
    this.#records = metadata.records(apiKeys);
    this.#clock = clock;
  }

  /**
   * Makes a key for the user. The scopes must have been checked. Returns the key, which cannot be read again; null
   * when the user has as many keys as one may have.
   */
  async make(
    owner: Identity,
    wanted: NewApiKey,
  ): Promise<{ key: string; record: ApiKeyRecord } | null> {
    const key = `${keyPrefix}${randomBytes(16).toString("hex")}`;
    const record: ApiKeyRecord = {
      ...wanted,
      id: randomUUID(),
      owner: owner.name,
      hash: hashOf(key),
      groups: owner.groups,
      // A session stands for the login that it came from.
      provenBy: loginMethodOf(owner) ?? owner.provenBy,
      incarnation: owner.incarnation ?? null,
      createdAt: this.#clock.now(),
      lastUsedAt: null,
    };
    await this.#metadata.commit(
      recordCommit(apiKeys, { kind: "put-api-key", key: record, ofOwnerMax: keysMax }),
    );
    const made = await this.#records.byHash(record.hash);
    return made === null ? null : { key, record };
  }

  list(owner: string): Promise<ApiKeyRecord[]> {
    return this.#records.ofOwner(owner, keysMax);
  }

  /** Revokes a key of the user; false when there is none of that id. */
  async revoke(owner: string, id: string): Promise<boolean> {
    const keys = await this.list(owner);
    if (!keys.some((key) => key.id === id)) return false;
    await this.#metadata.commit(recordCommit(apiKeys, { kind: "remove-api-key", owner, id }));
    return true;
  }

  /** The live key of this user; null when the password is no such key. */
  async find(owner: string, password: string): Promise<ApiKeyRecord | null> {
    if (!keyPattern.test(password)) return null;
    const record = await this.#records.byHash(hashOf(password));
    if (record === null || record.owner !== owner || this.isExpired(record)) return null;
    return record;
  }

  /** The live key of this id; null when it was revoked or has expired. */
  async byId(id: string): Promise<ApiKeyRecord | null> {
    const record = await this.#records.byId(id);
    return record === null || this.isExpired(record) ? null : record;
  }

  /** Ends the keys of earlier users of the name, once another user has logged in by it. */
  async endOfOthers({ name: owner, provenBy, incarnation }: Identity): Promise<void> {
    if (incarnation === undefined) return;
    const keys = await this.list(owner);
    const isOther = (key: ApiKeyRecord): boolean =>
      key.provenBy === provenBy && key.incarnation !== null && key.incarnation !== incarnation;
    if (!keys.some(isOther)) return;
    const end = { kind: "end-api-keys", owner, provenBy, incarnation } as const;
    await this.#metadata.commit(recordCommit(apiKeys, end));
  }

  isExpired({ expiresAt }: ApiKeyRecord): boolean {
    return expiresAt !== null && this.#clock.now() >= expiresAt;
  }

  /** Records that a key was used. Never rejects: no caller waits for it. */
  async touch({ id, lastUsedAt }: ApiKeyRecord): Promise<void> {
    const at = this.#clock.now();
    if (lastUsedAt !== null && at - lastUsedAt < touchMs) return;
    const touch = { kind: "touch-api-key", id, at } as const;
    await this.#metadata.commit(recordCommit(apiKeys, touch)).catch(() => {});
  }

  /** The identity that a key proves, given what its user is now. */
  identityOf(record: ApiKeyRecord, { groups, incarnation }: PresentOwner): Identity {
    const read = keyScope(record.scopes);
    // A scope that does not read any more is good for nothing.
    const scope = "problem" in read ? emptyScope : read.scope;
    const identity: Identity = {
      name: record.owner,
      groups,
      provenBy: "api key",
      scope,
      keyId: record.id,
      ...(incarnation === null ? {} : { incarnation }),
      ...(isLoginMethod(record.provenBy) ? { login: record.provenBy } : {}),
    };
    return record.provenBy === "workload" ? { ...identity, claimsLost: true } : identity;
  }
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}
