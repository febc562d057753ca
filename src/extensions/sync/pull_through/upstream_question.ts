/** A question about one manifest that upstreams are asked in turn, and what they say. */
import type { ManifestHolding } from "../../../registry/resolve.ts";
import { UpstreamTrouble } from "../upstream/trouble.ts";
import type { Mirror, MirroredName } from "./mirror.ts";
import { isAbsence, worst } from "./upstream_answers.ts";

/** What the upstreams said of a reference. */
export type Answer =
  | { readonly kind: "same" | "fetched"; readonly manifest: ManifestHolding }
  | { readonly kind: "absent" }
  /** It is there, and nobody signed it. */
  | { readonly kind: "unsigned"; readonly host: string }
  | { readonly kind: "trouble"; readonly trouble: UpstreamTrouble; readonly mirror: Mirror };

/** Asks the upstreams in turn, until one has it. */
export async function eachOf(
  sources: readonly MirroredName[],
  ask: (source: MirroredName) => Promise<Answer | null>,
): Promise<Answer> {
  const troubles: { trouble: UpstreamTrouble; mirror: Mirror }[] = [];
  let unsignedAnswer: Answer | null = null;
  for (const source of sources) {
    try {
      const answer = await ask(source);
      if (answer?.kind === "unsigned") unsignedAnswer ??= answer;
      else if (answer !== null) return answer;
    } catch (error) {
      if (!(error instanceof UpstreamTrouble)) throw error;
      if (!isAbsence(error)) troubles.push({ trouble: error, mirror: source.mirror });
    }
  }
  // What nobody signed is not served from here either.
  if (unsignedAnswer !== null) return unsignedAnswer;
  const trouble = worst(troubles.map((each) => each.trouble));
  const [first] = troubles;
  if (trouble === null || first === undefined) return { kind: "absent" };
  return { kind: "trouble", trouble, mirror: first.mirror };
}

export function unsigned({ mirror }: MirroredName): Answer {
  return { kind: "unsigned", host: mirror.upstream.host };
}
