/**
 * Challenges: what a 401 tells a client about logging in (RFC 9110 §11.6.1, RFC 7617, RFC 6750).
 *
 * A 401 carries exactly one challenge, because some clients fail when there are two: Bearer where there is a token
 * service (our own behind `http.externalUrl`, or an outside one), else Basic. The realm comes from the configuration,
 * never from the request; every value is quoted, printable and on one line.
 */
import { apiError, type ApiError } from "../oci/errors.ts";

/** Path of the registry's own token service, as zot's. */
export const tokenPath = "/zot/auth/token";

export type Challenge =
  | { readonly kind: "basic"; readonly realm: string }
  | { readonly kind: "bearer"; readonly realm: string; readonly service: string };

export type BearerError = "invalid_token" | "insufficient_scope";

/** The WWW-Authenticate field. `scope` is what the request needs; null where any login will do. */
export function challengeHeader(
  challenge: Challenge,
  scope: string | null,
  error: BearerError | null,
): string {
  if (challenge.kind === "basic") return `Basic realm=${quoted(challenge.realm)}`;
  const parts = [`realm=${quoted(challenge.realm)}`, `service=${quoted(challenge.service)}`];
  if (scope !== null) parts.push(`scope=${quoted(scope)}`);
  if (error !== null) parts.push(`error=${quoted(error)}`);
  return `Bearer ${parts.join(",")}`;
}

/** The 401 of a request that must log in; a 403 where there is no challenge, because no method of login exists. */
export function loginRequired(
  challenge: Challenge | null,
  scope: string | null,
  error: BearerError | null = null,
): ApiError {
  if (challenge === null) return apiError("DENIED");
  return apiError("UNAUTHORIZED", {
    headers: { "www-authenticate": challengeHeader(challenge, scope, error) },
  });
}

/** A quoted-string (RFC 9110 §5.6.4). What a header cannot carry becomes a question mark. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&")}"`;
}
