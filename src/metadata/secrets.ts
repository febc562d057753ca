/**
 * Secrets that all processes of a registry share and that nobody outside knows: each is made by whoever asks first, and
 * never changes.
 */
import { randomBytes } from "node:crypto";
import type { Metadata } from "./metadata.ts";
import { recordCommit, type RecordStore } from "./records.ts";

/** Does nothing where there is one of this name. `value` is in hex. */
export interface SecretChange {
  readonly kind: "make-secret";
  readonly name: string;
  readonly value: string;
  readonly [member: string]: unknown;
}

export interface SecretReads {
  /** In hex; null where nobody asked for it yet. */
  secret(name: string): Promise<string | null>;
}

export const secrets: RecordStore<SecretChange, SecretReads> = { name: "secrets" };

const secretBytes = 32;

/** The same bytes for all who ask for this name: 32 at random, or what the first of them makes. */
export async function sharedSecret(
  metadata: Metadata,
  name: string,
  make: () => Promise<Uint8Array> = async () => randomBytes(secretBytes),
): Promise<Buffer> {
  const reads = metadata.records(secrets);
  const known = await reads.secret(name);
  if (known !== null) return Buffer.from(known, "hex");
  const value = Buffer.from(await make()).toString("hex");
  await metadata.commit(recordCommit(secrets, { kind: "make-secret", name, value }));
  // Another process may have been first.
  return Buffer.from((await reads.secret(name)) ?? value, "hex");
}
