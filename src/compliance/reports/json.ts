// The report as JSON: the members of `Report` (report.ts), documented in docs/compliance/README.md.
import type { Report } from "../report.ts";

/** One JSON document, indented, ending with a newline. */
export function jsonReport(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
