/** The findings of a report that is attached to an image: how many of each severity, and a table to look through. */
import { useState } from "preact/hooks";
import { countText } from "../core/format.ts";
import { countsOf, type Finding, type Report, type Severity } from "../core/report.ts";
import { Chip, Time } from "../parts/basics.tsx";

const shownMax = 300;

const tones: Readonly<Record<Severity, "bad" | "warn" | "accent" | "plain">> = {
  Critical: "bad",
  High: "bad",
  Medium: "warn",
  Low: "accent",
  Unknown: "plain",
};

/** What VEX says of an image, in words. */
const statuses: Readonly<Record<string, string>> = {
  not_affected: "not affected",
  affected: "affected",
  fixed: "fixed",
  under_investigation: "looked into",
};

export function Findings({ report }: { readonly report: Report }) {
  const [filter, setFilter] = useState("");
  const [severity, setSeverity] = useState<Severity | null>(null);
  const { form, tool, at, findings } = report;
  const wanted = filter.toLowerCase();
  const found = findings.filter(
    (each) =>
      (severity === null || each.severity === severity) &&
      [each.id, each.package, each.title].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <>
      <h2>
        {form === "OpenVEX"
          ? countText(findings.length, "statement")
          : countText(findings.length, "finding")}{" "}
        <span class="dim small">
          {form}
          {tool === "" || tool === form ? "" : `, by ${tool}`}
          {at !== "" && (
            <>
              , made <Time at={at} />
            </>
          )}
        </span>
      </h2>
      {findings.length === 0 ? (
        <p>Nothing was found by it.</p>
      ) : (
        <>
          <div class="toolbar">
            <input
              type="search"
              placeholder="Find a package or CVE"
              aria-label="Find a package or CVE"
              value={filter}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
            <div class="platforms" role="group" aria-label="Severity">
              {countsOf(report).map(([each, count]) => (
                <button
                  key={each}
                  type="button"
                  aria-pressed={severity === each}
                  onClick={() => setSeverity(severity === each ? null : each)}
                >
                  {each} {count.toLocaleString("en")}
                </button>
              ))}
            </div>
            <span class="dim small" role="status">
              {found.length === findings.length ? "" : `${found.length} found`}
            </span>
          </div>
          <FindingTable found={found} />
        </>
      )}
    </>
  );
}

function FindingTable({ found }: { readonly found: readonly Finding[] }) {
  const hasVersions = found.some(({ installed, fixed }) => installed !== "" || fixed !== "");
  return (
    <>
      <table class="rows">
        <caption class="said">Findings</caption>
        <thead>
          <tr>
            <th>Vulnerability</th>
            <th>Severity</th>
            <th>Package</th>
            {hasVersions && <th>Installed</th>}
            {hasVersions && <th>Fixed in</th>}
            <th>What it is</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, shownMax).map((each, index) => (
            <tr key={index}>
              <td class="name">{each.id}</td>
              <td data-label="Severity">
                {each.severity !== null && <Chip tone={tones[each.severity]}>{each.severity}</Chip>}
                {each.status !== "" && <Chip>{statuses[each.status] ?? each.status}</Chip>}
              </td>
              <td data-label="Package">{each.package}</td>
              {hasVersions && <td data-label="Installed">{each.installed}</td>}
              {hasVersions && <td data-label="Fixed in">{each.fixed}</td>}
              <td data-label="What it is" class="small">
                {each.title}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > shownMax && (
        <p class="dim">
          And {(found.length - shownMax).toLocaleString("en")} more; find them above.
        </p>
      )}
    </>
  );
}
