/**
 * API keys and the users of the htpasswd file, to whom keys belong: a store of its own beside the metadata.
 *
 * A record holds the hash of a key, never the key. A key is removed only together with its user's name, so that nobody
 * removes another user's key. How keys are made and what they allow is in `auth`.
 */
import type { RecordStore } from "./records.ts";

/** A key that stands for its owner. The key itself is never stored. */
export interface ApiKeyRecord {
  readonly id: string;
  /** Name of the user who made it. */
  readonly owner: string;
  /** SHA-256 of the key, in hex. */
  readonly hash: string;
  readonly label: string;
  /** Its scopes, as its user wrote them; empty for everything that the user may do. */
  readonly scopes: readonly string[];
  /** Groups that its user had when it was made. */
  readonly groups: readonly string[];
  /** How its user had logged in, such as `htpasswd`. */
  readonly provenBy: string;
  /** Tells its user from earlier and later users of the name; null where nothing does. */
  readonly incarnation: string | null;
  /** User-Agent of the request that made it. */
  readonly madeWith: string;
  /** Milliseconds since the epoch; null for no end, and for never used. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
}

/** A change to keys, which belong to users and to no repository. */
export type ApiKeyChange =
  /** Does nothing when the user has that many keys already: counted in the same transaction. */
  | { readonly kind: "put-api-key"; readonly key: ApiKeyRecord; readonly ofOwnerMax: number }
  | { readonly kind: "remove-api-key"; readonly owner: string; readonly id: string }
  | { readonly kind: "touch-api-key"; readonly id: string; readonly at: number }
  /** Removes the keys that others made who had the name, by the same kind of login. */
  | {
      readonly kind: "end-api-keys";
      readonly owner: string;
      readonly provenBy: string;
      readonly incarnation: string;
    };

/** A change to what is known of the users of the htpasswd file, and so to their keys. */
export type FileUserChange =
  /** Remembers a name and gives it its incarnation, unless it has one; keys of before have it from then on. */
  | { readonly kind: "put-file-user"; readonly name: string; readonly incarnation: string }
  /** Forgets every other name, with its keys. */
  | { readonly kind: "keep-file-users"; readonly names: readonly string[] };

/** What the store answers. */
export interface ApiKeyReads {
  /** The incarnation of a name of the htpasswd file; null when it has none yet. */
  fileUser(name: string): Promise<string | null>;
  byHash(hash: string): Promise<ApiKeyRecord | null>;
  byId(id: string): Promise<ApiKeyRecord | null>;
  /** Keys of a user, oldest first. */
  ofOwner(owner: string, limit: number): Promise<ApiKeyRecord[]>;
}

export const apiKeys: RecordStore<ApiKeyChange | FileUserChange, ApiKeyReads> = {
  name: "api-keys",
};
