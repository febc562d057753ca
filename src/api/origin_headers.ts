/** What a pull through a mirror means by its name, and what its answer says of where the content came from. */
import type { Call } from "../http/call.ts";
import type { Place, Provenance } from "../registry/origin.ts";

/** The content that a request for a repository wants: of any upstream, unless it names one. */
export function placeOf({ located }: Call, repository: string): Place {
  return located === null ? { repository, from: "any" } : { repository, from: located.from };
}

/** RFC 9111 §5.1 and §5.5 for `Age` and `Warning`; `OCI-Namespace` is the client's own word for the upstream. */
export function originHeaders(
  { located }: Call,
  provenance: Provenance | undefined,
): Record<string, string> {
  if (provenance === undefined) return {};
  const { cache, ageS, warning } = provenance;
  return {
    "x-zot-cache": cache,
    ...(ageS === null ? {} : { age: String(ageS) }),
    ...warningHeader(warning),
    ...(located === null || located.namespace === null
      ? {}
      : { "oci-namespace": located.namespace }),
  };
}

export function warningHeader(warning: string | null): Record<string, string> {
  if (warning === null) return {};
  return { warning: `299 - "${warning.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "'")}"` };
}
