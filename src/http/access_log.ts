/**
 * Writes the log lines of an answer: one in the access log, and one in the audit log when the request changed
 * something.
 *
 * Failures are logged with their cause at level error; health checks, which are frequent, at level debug. The fields
 * are documented in `docs/guides/operate.md`.
 */
import type { AuditLog } from "../lib/audit_log.ts";
import { ApiError } from "../oci/errors.ts";
import type { Log } from "../lib/log.ts";
import type { AccessRecord } from "./dispatch.ts";

/** Asked for all the time, by machines. */
const quiet = /^(health|metrics)\./;

const changing = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** One line for each change that was made. */
export function auditAnswer(audit: AuditLog, record: AccessRecord): void {
  const { id, client, who, what, method, path, status } = record;
  if (!changing.has(method) || status >= 400) return;
  audit.write({ clientIP: client, subject: who, action: method, object: path, status, what, id });
}

export function logAnswer(log: Log, record: AccessRecord, failure: unknown): void {
  const { access } = log;
  if (failure !== null) access.error({ ...record, cause: causeOf(failure) }, "request");
  else if (quiet.test(record.what)) access.debug(record, "request");
  else access.info(record, "request");
}

function causeOf(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure);
  // An answer that was meant: where it was made says nothing.
  if (failure instanceof ApiError && failure.cause === undefined) return failure.message;
  const cause = failure.cause instanceof Error ? ` (${failure.cause.message})` : "";
  return `${failure.stack ?? failure.message}${cause}`;
}
