/** Figures that stand above a page, and bars that show a part of a whole. */
import { bytesText, exactBytes } from "../core/format.ts";

export interface Figure {
  readonly label: string;
  /** Null for what is not known yet; a figure without bytes and text is left out. */
  readonly bytes?: number | null | undefined;
  readonly text?: string;
  readonly says?: string;
}

export function Figures({ figures }: { readonly figures: readonly Figure[] }) {
  return (
    <dl class="figures">
      {figures
        .filter(({ bytes, text }) => bytes !== undefined || text !== undefined)
        .map(({ label, bytes, text, says }) => (
          <div key={label} title={says}>
            <dt>{label}</dt>
            <dd title={typeof bytes === "number" ? exactBytes(bytes) : undefined}>
              {text ?? (typeof bytes === "number" ? bytesText(bytes) : "…")}
            </dd>
          </div>
        ))}
    </dl>
  );
}

/** A bar: `part` of the whole from 0 to 1, and darker `inner` of it. `says` is for who cannot see it. */
export function Meter({
  part,
  inner,
  says,
  tone = "plain",
}: {
  readonly part: number;
  readonly inner?: number;
  readonly says: string;
  readonly tone?: "plain" | "good" | "warn" | "bad";
}) {
  return (
    <span class={`meter ${tone}`} role="img" aria-label={says}>
      <i style={{ width: percent(part) }} />
      {inner !== undefined && <b style={{ width: percent(inner) }} />}
    </span>
  );
}

function percent(part: number): string {
  return `${Math.min(100, Math.max(0, part * 100)).toFixed(2)}%`;
}
