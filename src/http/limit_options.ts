// The options that say how much callers may ask for: `http.ratelimit`.
//
// `rate` and `methods` are zot's, `perCaller` is ours. A rate is the server's, not one of its workers'.

import * as z from "zod";
import { optionTable, type OptionValues } from "../lib/option.ts";
import { countedMethods } from "./counted_methods.ts";

/** More than this many a second cannot be told from no limit. */
const rateMax = 1_000_000;

function rate(min: number) {
  const error = `a whole number of requests a second from ${min} to ${rateMax}`;
  return z
    .int({ error })
    .min(min, { error })
    .max(rateMax, { error })
    .meta({ title: "whole number" });
}

const methodError = `one of ${countedMethods.join(", ")}`;

export const rateLimitOptions = optionTable({
  rate: {
    type: rate(0),
    default: 0,
    defaultSays: "`0`, no limit",
    served: true,
    applies: "live",
    says:
      "Requests a second that are answered, of all callers together, with up to a second's worth at once; others get " +
      "429. `0` is no limit.",
  },
  methods: {
    type: z
      .array(
        z.strictObject(
          { method: z.enum(countedMethods, { error: methodError }), rate: rate(1) },
          { error: "a section with method and rate" },
        ),
        { error: "a list of methods and their rates" },
      )
      .refine((list) => new Set(list.map(({ method }) => method)).size === list.length, {
        error: "each method once",
      })
      .meta({ title: "list of rates" }),
    default: [],
    served: true,
    applies: "live",
    says: `The same for requests of one method: a list of \`method\` (${countedMethods.join(", ")}) and \`rate\`.`,
  },
  perCaller: {
    type: rate(0),
    default: 0,
    defaultSays: "`0`, no limit",
    served: true,
    applies: "live",
    says:
      "The same for the requests of one caller: a user once logged in, else an IPv4 address or an IPv6 network of 64 " +
      "bits. `0` is no limit.",
  },
});

export type RateLimitValues = OptionValues<typeof rateLimitOptions>;
