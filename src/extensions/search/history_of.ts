/** The history of an image: what its configuration says of each layer, and of steps that made none. */
import { isJsonObject, parseStrictJson } from "../../lib/strict_json.ts";
import type { SummarisedLayer } from "../../metadata/summaries.ts";
import { time } from "./values.ts";

/** Entries that are told. */
const entriesMax = 1_000;
const depthMax = 64;

export interface LayerHistory {
  readonly Layer: { readonly Size: string; readonly Digest: string } | null;
  readonly HistoryDescription: Readonly<Record<string, unknown>>;
}

const unknown = { Created: null, CreatedBy: null, Author: null, Comment: null, EmptyLayer: null };

/**
 * Each entry takes the next layer unless it made none. Layers without an entry come last. Entries for which no layer is
 * left have made none that is here: clients look for a layer wherever an entry is not empty.
 */
export function historyOf(
  config: Uint8Array | null,
  layers: readonly SummarisedLayer[],
): readonly LayerHistory[] {
  const left = layers.map(({ digest, sizeBytes }) => ({ Size: String(sizeBytes), Digest: digest }));
  const told = entriesOf(config).map((entry): LayerHistory => {
    const Layer = entry["empty_layer"] === true ? null : (left.shift() ?? null);
    return {
      Layer,
      HistoryDescription: {
        Created: createdOf(entry["created"]),
        CreatedBy: textOf(entry["created_by"]),
        Author: textOf(entry["author"]),
        Comment: textOf(entry["comment"]),
        EmptyLayer: Layer === null,
      },
    };
  });
  return [...told, ...left.map((Layer) => ({ Layer, HistoryDescription: unknown }))];
}

function entriesOf(config: Uint8Array | null): Readonly<Record<string, unknown>>[] {
  const parsed = config === null ? null : parseStrictJson(config, { depthMax });
  const value = parsed !== null && "value" in parsed ? parsed.value : null;
  const history: unknown = isJsonObject(value) ? value["history"] : null;
  return Array.isArray(history) ? history.slice(0, entriesMax).filter(isJsonObject) : [];
}

function createdOf(value: unknown): string | null {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : time(ms);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
