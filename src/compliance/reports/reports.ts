// TABLE of the forms of a report, by the name that `--format` takes.
import type { Report } from "../report.ts";
import { htmlReport } from "./html.ts";
import { jsonReport } from "./json.ts";
import { junitReport } from "./junit.ts";
import { textReport, type TextOptions } from "./text.ts";

export const reportFormats = {
  text: (report: Report, options: TextOptions) => textReport(report, options),
  json: (report: Report) => jsonReport(report),
  junit: (report: Report) => junitReport(report),
  html: (report: Report) => htmlReport(report),
} as const;

export type ReportFormat = keyof typeof reportFormats;

export function isReportFormat(name: string): name is ReportFormat {
  return Object.hasOwn(reportFormats, name);
}
