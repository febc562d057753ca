// `zot scrub status`: what a running server knows of its checks, and of damage.

import { formatBytes } from "../lib/bytes.ts";
import type { Given, Output } from "./command.ts";
import { text } from "./registry_flags.ts";
import { inColumns, wantsJson, withServer } from "./server_given.ts";

interface Round {
  readonly from: string;
  readonly to: string | null;
  readonly outcome: string;
  readonly allBytes: number;
  readonly digests: number;
  readonly bytes: number;
  readonly bad: number;
  readonly healed: number;
  readonly failed: number;
}

interface Status {
  readonly state: string;
  readonly nextAt: string | null;
  readonly round: Round | null;
  readonly rounds: readonly Round[];
  readonly checked: { readonly digests: number; readonly bytes: number };
  readonly coverage: readonly { readonly withinHours: number; readonly percent: number }[];
  readonly damaged: {
    readonly copies: number;
    readonly bytes: number;
    readonly list: readonly {
      readonly repository: string;
      readonly digest: string;
      readonly how: string;
      readonly since: string;
      readonly tags: readonly string[];
      readonly isCutOff: boolean;
    }[];
  };
  readonly kept: {
    readonly files: number;
    readonly bytes: number;
    readonly list: readonly {
      readonly name: string;
      readonly sizeBytes: number;
      readonly digest: string | null;
      readonly isDamaged: boolean;
    }[];
  };
}

const path = "/v2/_zot/scrub";
/** Damaged copies that people are shown; JSON has them page by page. */
const shownMax = 100;

/** Runs the command. Returns the exit status. @throws Mistake. */
export async function scrubStatusCommand(given: Given, output: Output): Promise<number> {
  const json = wantsJson(given);
  return await withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      const status = (await server.ask("GET", path)) as Status;
      output.out(json ? `${JSON.stringify(status, null, 2)}\n` : shown(status));
      return 0;
    },
  });
}

function shown(status: Status): string {
  const { state, nextAt, round, rounds, checked, coverage, damaged, kept } = status;
  const ages = coverage.map(({ withinHours, percent }) => {
    const days = withinHours / 24;
    return `${percent} % of bytes checked within ${days === 1 ? "a day" : `${days} days`}`;
  });
  const facts = [
    ["state", nextAt === null ? state : `${state}; the next round begins at ${nextAt}`],
    ["known", `${checked.digests} digests, ${formatBytes(checked.bytes)}`],
    ...ages.map((age) => ["coverage", age]),
    ["damaged", `${damaged.copies} copies, ${formatBytes(damaged.bytes)}`],
    ["kept", `${kept.files} files, ${formatBytes(kept.bytes)}`],
  ];
  const all = round === null ? rounds : [round, ...rounds];
  const parts = [inColumns([], facts)];
  if (all.length > 0) {
    const head = ["ROUND", "ENDED", "OUTCOME", "DIGESTS", "BYTES", "BAD", "HEALED", "FAILED"];
    parts.push(inColumns(head, all.map(roundRow)));
  }
  if (damaged.list.length > 0) parts.push(damagedTable(damaged));
  if (kept.list.length > 0) parts.push(keptTable(kept));
  return parts.join("\n");
}

function roundRow({ from, to, outcome, allBytes, ...round }: Round): readonly string[] {
  const { digests, bytes, bad, healed, failed } = round;
  const part = outcome === "running" ? ` of ${formatBytes(allBytes)}` : "";
  const read = `${formatBytes(bytes)}${part}`;
  return [from, to ?? "", outcome, `${digests}`, read, `${bad}`, `${healed}`, `${failed}`];
}

function damagedTable({ copies, list }: Status["damaged"]): string {
  const rows = list
    .slice(0, shownMax)
    .map(({ repository, digest, how, since, tags, isCutOff }) => [
      repository,
      digest,
      how,
      since,
      [...tags, ...(isCutOff ? ["…"] : [])].join(","),
    ]);
  const more = copies > rows.length ? `and ${copies - rows.length} more\n` : "";
  return inColumns(["REPOSITORY", "DIGEST", "FOUND", "SINCE", "TAGS"], rows) + more;
}

/** Files of damaged content that a person may let go, with `zot scrub forget`. */
function keptTable({ files, list }: Status["kept"]): string {
  const rows = list
    .slice(0, shownMax)
    .map(({ name, digest, sizeBytes, isDamaged }) => [
      digest ?? name,
      formatBytes(sizeBytes),
      digest === null ? "of nothing known" : isDamaged ? "damaged" : "right again, or gone",
    ]);
  const more = files > rows.length ? `and ${files - rows.length} more\n` : "";
  return inColumns(["KEPT", "SIZE", "CONTENT"], rows) + more;
}
