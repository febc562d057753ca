/** Which files two images differ in: the registry reads their layers in the background, and is asked until it is done. */
import { useEffect, useState } from "preact/hooks";
import { bytesText, countText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { Bytes, Chip, Empty, Failed, Shown, Waiting } from "../parts/basics.tsx";

interface FileEntry {
  readonly path: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly sizeBytesBefore?: number;
  readonly what?: readonly string[];
}

interface Files {
  readonly state: "pending" | "failed" | "done";
  readonly problem?: string;
  readonly added?: readonly FileEntry[];
  readonly removed?: readonly FileEntry[];
  readonly changed?: readonly FileEntry[];
  readonly counts?: {
    readonly added: number;
    readonly removed: number;
    readonly changed: number;
    readonly same: number;
  };
  readonly grownBytes?: number;
  readonly isCutOff?: boolean;
}

/** One of the two, by the digest of its own manifest. */
export interface ComparedImage {
  readonly repository: string;
  readonly digest: string;
}

const againMs = 1_000;
const shownMax = 500;

export function FileDifferences({
  a,
  b,
}: {
  readonly a: ComparedImage;
  readonly b: ComparedImage;
}) {
  const asked = new URLSearchParams({
    a: a.digest,
    b: `${b.repository}@${b.digest}`,
    files: "true",
  });
  const path = `v2/${a.repository}/_zot/diff?${asked.toString()}`;
  const diff = useLoad(
    `files ${path}`,
    (signal) => requestJson<{ files: Files | null }>(path, { signal }),
    false,
  );
  const { reload } = diff;
  const isPending = diff.value?.files?.state === "pending";
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!isPending) return undefined;
    const timer = window.setTimeout(() => {
      reload();
      setTurn(turn + 1);
    }, againMs);
    return () => window.clearTimeout(timer);
  }, [isPending, reload, turn]);
  return (
    <Shown loaded={diff}>
      {({ files }) => {
        if (files === null) return <Failed message="Files are not compared here." />;
        if (files.state === "failed")
          return (
            <Failed message={files.problem ?? "The layers could not be read."} onRetry={reload} />
          );
        if (files.state === "done") return <Done files={files} />;
        return (
          <>
            <p class="dim" role="status">
              The layers are being read…
            </p>
            <Waiting lines={3} />
          </>
        );
      }}
    </Shown>
  );
}

const tones = { added: "good", removed: "bad", changed: "accent" } as const;

function Done({ files }: { readonly files: Files }) {
  const [filter, setFilter] = useState("");
  const { counts, grownBytes = 0, isCutOff = false } = files;
  const all = (["changed", "added", "removed"] as const).flatMap((how) =>
    (files[how] ?? []).map((file) => ({ how, file })),
  );
  if (counts === undefined || all.length === 0) {
    return (
      <Empty icon="check" title="No file differs">
        <p>What the layers hold is the same, file by file.</p>
      </Empty>
    );
  }
  const wanted = filter.toLowerCase();
  const found = all.filter(({ file }) => file.path.toLowerCase().includes(wanted));
  return (
    <>
      <div class="toolbar">
        <input
          type="search"
          placeholder="Filter paths"
          aria-label="Filter paths"
          value={filter}
          spellcheck={false}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="dim small" role="status">
          {counts.changed} changed, {counts.added} added, {counts.removed} removed,{" "}
          {countText(counts.same, "file")} the same; {grownBytes < 0 ? "−" : "+"}
          {bytesText(Math.abs(grownBytes))}
        </span>
      </div>
      <table class="rows">
        <caption class="said">Files that differ</caption>
        <thead>
          <tr>
            <th>Path</th>
            <th>How</th>
            <th>What</th>
            <th class="number">Before</th>
            <th class="number">After</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, shownMax).map(({ how, file }) => (
            <tr key={`${how} ${file.path}`} data-row="">
              <td class="name">
                <code>{file.path}</code>
              </td>
              <td data-label="How">
                <Chip tone={tones[how]}>{how}</Chip>
              </td>
              <td data-label="What">{file.what?.join(", ") ?? file.type}</td>
              <td class="number" data-label="Before">
                {file.sizeBytesBefore !== undefined && <Bytes count={file.sizeBytesBefore} />}
              </td>
              <td class="number" data-label="After">
                <Bytes count={file.sizeBytes} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {(found.length > shownMax || isCutOff) && (
        <p class="dim">
          There are more; find them by their path, or by <code>zot diff</code>.
        </p>
      )}
    </>
  );
}
