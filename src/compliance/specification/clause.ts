// What a clause is: one sentence to judge by, with its source and section.
//
// Sentences of the distribution specification are quoted; the other sources are in our words.
// Practice is what many clients rely on though no specification says it.

export type Source = "distribution-spec" | "image-spec" | "RFC 9110" | "practice";

export interface Clause {
  readonly source: Source;
  readonly section: string;
  /** The section's anchor in spec.md; distribution-spec only. */
  readonly anchor?: string;
  readonly sentence: string;
}

export const spec = (section: string, anchor: string, sentence: string): Clause => ({
  source: "distribution-spec",
  section,
  anchor,
  sentence,
});

/** A row of the specification's table of endpoints. */
export const endpoint = (id: string, request: string, success: string, failure: string): Clause =>
  spec("Endpoints", "endpoints", `${id}: ${request}; success ${success}; failure ${failure}`);

export const imageSpec = (section: string, sentence: string): Clause => ({
  source: "image-spec",
  section,
  sentence,
});

export const rfc = (section: string, sentence: string): Clause => ({
  source: "RFC 9110",
  section,
  sentence,
});

export const practice = (section: string, sentence: string): Clause => ({
  source: "practice",
  section,
  sentence,
});
