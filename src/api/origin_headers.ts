/** What a pull through a mirror means by its name, and what its answer says of where the content came from. */
import type { Call } from "../http/call.ts";
import type { Place, Provenance } from "../registry/origin.ts";

/** The content that a request for a repository wants: of any upstream, unless it names one. */
export function placeOf(call: Call, repository: string): Place {
  const { located } = call;
  if (located === null) return { repository, from: "any", hops: 0 };
  return { repository, from: located.from, hops: hopsOf(call.header("x-zot-mirror-hops")) };
}

/** Of mirrors that ask mirrors; what is no number is more than any may be. */
function hopsOf(header: string | null): number {
  if (header === null) return 0;
  return /^\d{1,3}$/.test(header) ? Number(header) : Infinity;
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
