/** Types of keys that drivers of stores of objects share, and rules of keys that hang together. */
import * as z from "zod";

export const sectionError = {
  error: "a section with keys, such as {name: s3, region: eu-central-1, bucket: images}",
};

export const nameError = "a name of a driver that is served: s3, gcs or azure";

const bucketError = `the name of a bucket, such as "images"`;
export const bucket = z
  .string({ error: bucketError })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, { error: bucketError });

const endpointError = `a host or a URL of a store, such as "https://s3.example.com" or "localhost:9000"`;
export const endpoint = z
  .string({ error: endpointError })
  .refine((value) => value === "" || isEndpoint(value), { error: endpointError })
  .transform((value) => (value === "" ? null : value));

const rootError = `a prefix of keys, such as "/zot"`;
export const rootDirectory = z
  .string({ error: rootError })
  .refine((value) => isPrefix(value), { error: rootError });

const secretError = "one line of printable ASCII text without blanks";
export const secretText = z
  .string({ error: secretError })
  .regex(/^[\x21-\x7e]*$/, { error: secretError })
  .transform((value) => (value === "" ? null : value));

const agentError = "one line of printable ASCII text";
export const agent = z
  .string({ error: agentError })
  .regex(/^[\x20-\x7e]{0,200}$/, { error: agentError })
  .transform((value) => (value === "" ? null : value));

export function oneOf<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

const ignored = z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown())], {
  error: "a value that means nothing here",
});

/** Keys that change nothing here: each is taken, whatever it holds. */
export function ignoredKeys<K extends string>(without: Readonly<Record<K, string>>) {
  return Object.fromEntries(Object.keys(without).map((key) => [key, ignored.optional()])) as Record<
    K,
    z.ZodOptional<typeof ignored>
  >;
}

/** Keys that hang together: the key that is wrong, and the end of the sentence "expected …". */
export interface Rule<K> {
  readonly key: keyof K & string;
  readonly expected: string;
  readonly holds: (values: K) => boolean;
}

export function ruled<K extends object>(rules: readonly Rule<K>[]) {
  return (values: K, context: z.core.$RefinementCtx<K>): void => {
    for (const { key, expected, holds } of rules) {
      if (!holds(values)) context.addIssue({ code: "custom", path: [key], message: expected });
    }
  };
}

export function isPlain(value: string | null): boolean {
  return value !== null && /^http:/i.test(value);
}

function isEndpoint(value: string): boolean {
  const full = /^[a-z]+:\/\//i.test(value) ? value : `https://${value}`;
  if (!/^https?:\/\/[^\s@?#]+$/i.test(full) || !URL.canParse(full)) return false;
  return new URL(full).hostname !== "";
}

function isPrefix(value: string): boolean {
  const parts = value.replace(/^\/+|\/+$/g, "").split("/");
  if (value.replaceAll("/", "") === "") return true;
  return /^[\w.!*'()/-]{1,500}$/.test(value) && !parts.some((part) => /^\.{0,2}$/.test(part));
}
