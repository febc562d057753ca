// The options of undo and history, under `storage`: how long removed content is held, when it gives way, and how long
// events of tags are kept.

import * as z from "zod";
import { optionTable } from "../../lib/option.ts";
import { bytes, duration } from "../../lib/option_types.ts";
import type { FreeSpace } from "./undo_settings.ts";

/** Old copies of an index.json are told from new ones by history, and so are deletes. */
const keptMsMin = 30 * 24 * 60 * 60_000;

const undoOptions = optionTable({
  window: {
    type: duration(0),
    default: "24h",
    served: true,
    applies: "live",
    says:
      "How long content is held after it was deleted or collected, so that it can be brought back. Nothing else sees " +
      "it. `0s` holds nothing. A shorter window ends what is held for longer.",
  },
  pin: {
    type: duration(0),
    default: "168h",
    served: true,
    applies: "live",
    says: "How long retention and collection leave alone what was brought back.",
  },
  maxBytes: {
    type: bytes(0),
    default: 0,
    defaultSays: "no limit of its own",
    served: true,
    applies: "live",
    says: "Bytes that are held at most; beyond them the oldest go first. `0` sets no limit.",
  },
});

const freeError = `a part of the disk such as "5%", a number of bytes, or a size such as "10GiB"`;
const percentPattern = /^(\d{1,2}(?:\.\d{1,3})?)%$/;

/** A part of the disk, or bytes. */
const freeSpace = z
  .union([z.string().regex(percentPattern, { error: freeError }), bytes(0)], { error: freeError })
  .transform((value): FreeSpace =>
    typeof value === "number" ? { bytes: value } : { part: Number(value.slice(0, -1)) / 100 },
  )
  .meta({ title: "part of the disk, or size" });

const keptOptions = optionTable({
  keep: {
    type: duration(keptMsMin),
    default: "8760h",
    served: true,
    applies: "live",
    says:
      "How long the history of tags is kept, `720h` (30 days) at least, and no shorter than anything waits for an undo or " +
      "for collection. What a tag is stays known, with when it was set. Of a tag with more than 10,000 events the older " +
      "ones are the last of each day.",
  },
});

/** As they stand in the section `storage`. */
export const historyOptions = {
  undo: undoOptions,
  history: keptOptions,
  ...optionTable({
    minFree: {
      type: freeSpace,
      default: "5%",
      served: true,
      applies: "live",
      says:
        "Of the disk, or bytes: while less is free, what is held for an undo goes, the oldest first. `0` waits until " +
        "its time is over.",
    },
  }),
};
