// The types that option rows choose from: what a file may hold, and what the program gets.
//
// Each is a zod schema with a title (shown on the reference page) whose error message is the end of
// the sentence "expected …", so that every problem is worded alike wherever it is found. Durations
// become milliseconds, sizes bytes, and an empty text that means "none" becomes null.

import * as z from "zod";
import { formatBytes, GiB, KiB, MiB, TiB } from "./bytes.ts";
import { parseDuration } from "./duration.ts";
import { parseNetwork } from "./networks.ts";

/** true or false. */
export const flag = z.boolean({ error: "true or false" }).meta({ title: "boolean" });

/** Any text, the empty one included. */
export const text = z.string({ error: "text" }).meta({ title: "text" });

/** Text that may be left empty; empty is null. */
export const textOrNone = z
  .string({ error: "text" })
  .transform((value) => (value === "" ? null : value))
  .meta({ title: "text" });

const printable = /^[\x20-\x7e]*$/;
const lineError = "one line of printable ASCII text";

/** Text that goes into a header. */
export const headerText = z
  .string({ error: lineError })
  .regex(printable, { error: lineError })
  .meta({ title: "text" });

const pathError = "a path without blanks around it";
// oxlint-disable-next-line no-control-regex -- the system takes paths with anything but NUL; people mean none of these
const pathPattern = /^(?:|[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?)$/;

/** A path of a file or directory; empty is null. */
export const pathOrNone = z
  .string({ error: "a path" })
  .regex(pathPattern, { error: pathError })
  .transform((value) => (value === "" ? null : value))
  .meta({ title: "path" });

/** A whole number of at least `min`, and at most `max` where that is given. */
export function count(min: number, max?: number): z.ZodNumber {
  const error =
    max === undefined
      ? `a whole number of at least ${min}`
      : `a whole number from ${min} to ${max}`;
  const least = z.int({ error }).min(min, { error });
  return (max === undefined ? least : least.max(max, { error })).meta({ title: "whole number" });
}

/** A list of words from a closed set. */
export function listOf<const W extends readonly [string, ...string[]]>(words: W) {
  const word = z.enum(words, { error: `one of ${words.join(", ")}` });
  return z
    .array(word, { error: `a list with any of ${words.join(", ")}` })
    .transform((list): readonly W[number][] => list)
    .meta({ title: "list of words" });
}

const networksError = `a list of IP addresses and networks, such as ["10.0.0.0/8"]`;

/** Addresses and networks, as texts that `NetworkSet` reads. */
export const networks = z
  .array(
    z
      .string({ error: networksError })
      .refine((value) => parseNetwork(value) !== null, { error: networksError }),
    { error: networksError },
  )
  .transform((list): readonly string[] => list)
  .meta({ title: "list of networks" });

/** Go's duration syntax, in milliseconds; at least `minMs`. */
export function duration(minMs: number) {
  const least = minMs > 0 ? " above zero" : "";
  const error = `a duration${least} with its unit, such as "30s", "24h" or "1h30m"`;
  return z
    .string({ error })
    .refine((value) => (parseDuration(value) ?? -1) >= minMs, { error })
    .transform((value) => parseDuration(value) ?? 0)
    .meta({ title: "duration" });
}

/** A duration that switches a limit off when it is zero or negative; off is 0. */
export const durationOrOff = z
  .string({ error: `a duration with its unit, such as "60s", or "0" for no limit` })
  .refine((value) => parseDuration(value) !== null, {
    error: `a duration with its unit, such as "60s", or "0" for no limit`,
  })
  .transform((value) => Math.max(0, parseDuration(value) ?? 0))
  .meta({ title: "duration" });

const sizeUnits = new Map([
  ["", 1],
  ["B", 1],
  ["KiB", KiB],
  ["MiB", MiB],
  ["GiB", GiB],
  ["TiB", TiB],
]);
const sizePattern = /^(\d{1,15}) ?(B|KiB|MiB|GiB|TiB)?$/;

/** A number of bytes, or text such as "4MiB"; at least `min` bytes, and at most `max` where that is given. */
export function bytes(min: number, max = Number.MAX_SAFE_INTEGER) {
  const most = max === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${formatBytes(max)}`;
  const error = `a number of bytes of at least ${min}${most}, or a size such as "4MiB"`;
  return z
    .union([z.int({ error }).min(0, { error }), z.string().regex(sizePattern, { error })], {
      error,
    })
    .transform((value) => (typeof value === "number" ? value : parseSize(value)))
    .refine((value) => Number.isSafeInteger(value) && value >= min && value <= max, {
      error,
    })
    .meta({ title: "size" });
}

function parseSize(value: string): number {
  const match = sizePattern.exec(value);
  return Number(match?.[1]) * (sizeUnits.get(match?.[2] ?? "") ?? Number.NaN);
}

const portError = { error: `a port from 0 to 65535 ("0" lets the kernel choose)` };

/** A TCP port as a number or as text; empty text is 0, as in zot. */
export const port = z
  .union([z.string().regex(/^\d{0,5}$/, portError), z.int(portError).min(0, portError)], portError)
  .transform(Number)
  .refine((value) => value <= 65_535, portError)
  .meta({ title: "port" });
