// What the answers of pages for people have in common in the document.

import type { Parameter } from "../http/endpoint.ts";

export const text = { type: "string" } as const;

/** A header that is always there. */
export function pageHeader(name: string, says: string): Parameter {
  return { name, says, schema: text, required: true };
}
