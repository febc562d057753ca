/** Platforms as people write them, and which images of an index are of them. */
import type { Platform } from "./descriptor.ts";

const grammar = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/;
/** What a variant is where none is written. */
const variants: Readonly<Record<string, string>> = { arm64: "v8", arm: "v7" };

/** Reads `os/architecture[/variant]`; null when it is none. */
export function parsePlatform(text: string): Platform | null {
  const [, os, architecture, variant] = grammar.exec(text) ?? [];
  if (os === undefined || architecture === undefined) return null;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  const parts = [os ?? "unknown", architecture ?? "unknown"];
  return [...parts, ...(variant === undefined ? [] : [variant])].join("/");
}

/** Whether an image is of the platform that was asked for; without a variant, any will do. */
export function isOfPlatform(image: Platform | null, asked: Platform): boolean {
  if (image === null || image.os !== asked.os || image.architecture !== asked.architecture) {
    return false;
  }
  if (asked.variant === undefined) return true;
  const usual = variants[asked.architecture ?? ""];
  return (image.variant ?? usual) === asked.variant;
}
