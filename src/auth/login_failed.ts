/**
 * A login that failed, and the API error that it becomes. The client gets the same answer whatever was wrong; the
 * reason goes into the log.
 */
import { apiError, type ApiError } from "../oci/errors.ts";
import { loginRequired, type Challenge } from "./challenge.ts";

export type LoginFailure = "invalid" | "invalid-token" | "throttled" | "unavailable";

export class LoginFailed extends Error {
  override readonly name = "LoginFailed";
  readonly kind: LoginFailure;
  readonly retryAfterS: number | null;

  constructor(
    kind: LoginFailure,
    reason: string,
    retryAfterS: number | null = null,
    cause?: unknown,
  ) {
    super(reason, { cause });
    this.kind = kind;
    this.retryAfterS = retryAfterS;
  }

  /** What the client is told. `scope` is what its request needs. */
  toApiError(challenge: Challenge | null, scope: string | null): ApiError {
    const headers = { "retry-after": String(this.retryAfterS ?? 1) };
    if (this.kind === "throttled") {
      return apiError("TOO_MANY_REQUESTS", {
        message: "Too many failed logins; try again later",
        headers,
      });
    }
    if (this.kind === "unavailable") {
      return apiError("UNAVAILABLE", {
        message: "Logins cannot be checked at present; try again later",
        headers,
        cause: this,
      });
    }
    return loginRequired(challenge, scope, this.kind === "invalid-token" ? "invalid_token" : null);
  }
}
