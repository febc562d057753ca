/** Damage in the audit log: what checks of content find and heal, beside what callers change. */
import { AuditLog } from "../lib/audit_log.ts";
import type { Clock } from "../lib/clock.ts";
import type { Report } from "../registry/registry.ts";
import type { ScrubFound } from "../registry/scrub/content_checker.ts";

/** Who has found it; no user's name has a colon. */
const scrubActor = ":scrub";

/** Appends one line; nothing where there is no audit log. It is open for that line alone, since damage is rare. */
export function auditFound(
  path: string | null,
  { kind, repository, digest, fields }: ScrubFound,
  { clock, report }: { readonly clock: Clock; readonly report: Report },
): void {
  if (path === null) return;
  const onProblem = (problem: string): void => {
    report("error", "log.audit: a line could not be written", { problem });
  };
  try {
    const audit = new AuditLog({ path, clock, onProblem });
    const object = `/v2/${repository}/blobs/${digest}`;
    audit.write({ subject: scrubActor, action: kind, object, ...fields });
    audit.close();
  } catch (error) {
    onProblem(error instanceof Error ? error.message : String(error));
  }
}
