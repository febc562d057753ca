/** How figures, times and digests are written for people. */

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `8.2 MiB`; one digit behind the point while it says something. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

export function exactBytes(bytes: number): string {
  return `${bytes.toLocaleString("en")} bytes`;
}

const steps: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

/** `3 days ago`; `in 2 hours` of what comes. */
export function agoText(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  const step = steps.find(([, size]) => Math.abs(seconds) >= size);
  if (step === undefined)
    return Math.abs(seconds) < 10 ? "just now" : relative.format(Math.round(seconds), "second");
  return relative.format(Math.round(seconds / step[1]), step[0]);
}

/** `7 days`, of a length of time. */
export function spanText(ms: number): string {
  const seconds = ms / 1000;
  const [unit, size] = [...steps].find(([, each]) => seconds >= each) ?? (["second", 1] as const);
  const count = Math.round(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Null for text that is no time, and for those that stand for none. */
export function timeOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined || text === "") return null;
  const at = Date.parse(text);
  return Number.isNaN(at) || at <= 0 ? null : at;
}

/** `sha256:0123456789ab…`, without the algorithm where it is the usual one. */
export function shortDigest(digest: string): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  const short = hex.slice(0, 12);
  return algorithm === "sha256" ? short : `${algorithm}:${short}`;
}

export function countText(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
/** `linux/arm64/v8`. */
export function platformText(platform: {
  readonly os?: string | undefined;
  readonly architecture?: string | undefined;
  readonly variant?: string | undefined;
}): string {
  return [platform.os, platform.architecture, platform.variant]
    .filter((part) => part !== undefined && part !== "")
    .join("/");
}
