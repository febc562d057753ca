/** A document that is attached to an image, opened: packages, findings, what an attestation states, or its text. */
import { useState } from "preact/hooks";
import { countText } from "../core/format.ts";
import { openDocument, type Statement } from "../core/documents.ts";
import { documentBytesMax, loadText, type Descriptor } from "../core/image.ts";
import { parsed } from "../core/shapes.ts";
import { useLoad } from "../core/load.ts";
import { reportOf } from "../core/report.ts";
import { sbomOf, type Package, type Sbom } from "../core/sbom.ts";
import { Shown } from "../parts/basics.tsx";
import { Pairs } from "../parts/pairs.tsx";
import { Findings } from "./findings.tsx";

const packagesMax = 300;
const textMax = 100_000;
/** Kinds of packages, and licences, that are counted by name. */
const countedMax = 8;

export function DocumentView({
  repository,
  layer,
}: {
  readonly repository: string;
  readonly layer: Descriptor;
}) {
  const loaded = useLoad(
    `text ${repository} ${layer.digest}`,
    (signal) => loadText(repository, layer, documentBytesMax, signal),
    false,
  );
  return (
    <section class="card wide">
      <Shown loaded={loaded}>{(text) => <Opened text={text} />}</Shown>
    </section>
  );
}

function Opened({ text }: { readonly text: string }) {
  const whole = parsed(text);
  const { value, statement } = openDocument(whole);
  const sbom = sbomOf(value);
  const report = reportOf(value);
  const isShown = sbom !== null || report !== null || (statement?.rows.length ?? 0) > 0;
  return (
    <>
      {statement !== null && <Stated statement={statement} />}
      {report !== null && <Findings report={report} />}
      {sbom !== null && (sbom.packages.length > 0 || report === null) && <Packages sbom={sbom} />}
      {isShown ? (
        <details>
          <summary>The whole text</summary>
          <Text whole={whole} text={text} />
        </details>
      ) : (
        <>
          <h2>Content</h2>
          <Text whole={statement === null ? whole : value} text={text} />
        </>
      )}
    </>
  );
}

function Text({ whole, text }: { readonly whole: unknown; readonly text: string }) {
  const pretty = whole === null || whole === undefined ? text : JSON.stringify(whole, null, 2);
  return (
    <pre class="raw" tabIndex={0} role="region" aria-label="Content">
      {pretty.slice(0, textMax)}
      {pretty.length > textMax && "\n…"}
    </pre>
  );
}

function Stated({ statement }: { readonly statement: Statement }) {
  const { predicateType, rows, subjects } = statement;
  return (
    <>
      <h2>{rows.length > 0 ? "How it was made" : "Statement"}</h2>
      <Pairs
        rows={[
          ["Predicate", predicateType],
          ...rows,
          ...subjects.map((subject) => ["About", subject] as const),
        ]}
      />
    </>
  );
}

/** How often each value of a member stands in packages, the most frequent first. */
function countsBy(packages: readonly Package[], member: "kind" | "license"): [string, number][] {
  const counts = new Map<string, number>();
  for (const each of packages) {
    if (each[member] !== "") counts.set(each[member], (counts.get(each[member]) ?? 0) + 1);
  }
  return [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, countedMax);
}

function Counts({
  says,
  counts,
  onPick,
}: {
  readonly says: string;
  readonly counts: readonly (readonly [string, number])[];
  readonly onPick: (name: string) => void;
}) {
  if (counts.length < 2) return null;
  return (
    <p class="counts small">
      <span class="dim">{says}</span>
      {counts.map(([name, count]) => (
        <button key={name} type="button" class="turn" onClick={() => onPick(name)}>
          {name.slice(0, 40)} {count.toLocaleString("en")}
        </button>
      ))}
    </p>
  );
}

function Packages({ sbom }: { readonly sbom: Sbom }) {
  const [filter, setFilter] = useState("");
  const wanted = filter.toLowerCase();
  const found = sbom.packages.filter(
    ({ name, license, kind }) =>
      name.toLowerCase().includes(wanted) ||
      license.toLowerCase().includes(wanted) ||
      kind.toLowerCase().includes(wanted),
  );
  return (
    <>
      <h2>
        {countText(sbom.packages.length, "package")}{" "}
        <span class="dim small">
          {sbom.form}
          {sbom.tool === "" ? "" : `, by ${sbom.tool}`}
        </span>
      </h2>
      <Counts says="From" counts={countsBy(sbom.packages, "kind")} onPick={setFilter} />
      <Counts says="Licences" counts={countsBy(sbom.packages, "license")} onPick={setFilter} />
      <div class="toolbar">
        <input
          type="search"
          placeholder="Find a package or licence"
          aria-label="Find a package or licence"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="dim small" role="status">
          {found.length === sbom.packages.length ? "" : `${found.length} found`}
        </span>
      </div>
      <table class="rows">
        <caption class="said">Packages</caption>
        <thead>
          <tr>
            <th>Package</th>
            <th>Version</th>
            <th>From</th>
            <th>Licence</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, packagesMax).map(({ name, version, kind, license }, index) => (
            <tr key={index}>
              <td class="name">{name}</td>
              <td data-label="Version">{version}</td>
              <td data-label="From">{kind}</td>
              <td data-label="Licence">{license}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > packagesMax && (
        <p class="dim">And {found.length - packagesMax} more; find them by their name.</p>
      )}
    </>
  );
}
