// `zot audit`: what a running server found when it compared its store of objects with the metadata; `run` asks for it.

import { formatBytes } from "../lib/bytes.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import { inColumns, wantsJson, withServer, type AskedServer } from "./server_given.ts";

interface Audit {
  readonly from: string;
  readonly to: string | null;
  readonly restoredAt: string | null;
  readonly outcome: string;
  readonly problem: string | null;
  readonly step: number;
  readonly steps: number;
  readonly objects: number;
  readonly bytes: number;
  readonly lost: number;
  readonly marked: number;
  readonly strays: number;
  readonly strayBytes: number;
  readonly removed: number;
  readonly adopted: number;
  readonly unfinished: number;
  readonly found: readonly {
    readonly key: string;
    readonly sizeBytes: number;
    readonly digest: string | null;
    readonly changedAt: string;
  }[];
}

interface Status {
  readonly isWaiting: boolean;
  readonly audit: Audit | null;
}

const path = "/v2/_zot/audit";
const askedEveryMs = 1_000;
/** Exit status where content was lost. */
const lostStatus = 3;

/** Runs the command. Returns the exit status. @throws Mistake. */
export async function auditCommand(given: Given, output: Output): Promise<number> {
  const wish = wishOf(given);
  const json = wantsJson(given);
  return await withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      if (wish !== null) await server.ask("POST", path, wish);
      const status = wish === null ? await ask(server) : await ended(server, output);
      output.out(json ? `${JSON.stringify(status, null, 2)}\n` : shown(status));
      const { audit } = status;
      if (audit?.outcome === "failed") return 1;
      return audit !== null && audit.lost > 0 ? lostStatus : 0;
    },
  });
}

/** Null for a look at the last one. @throws Mistake. */
function wishOf({ arguments: named, options }: Given): object | null {
  const action = named["action"] ?? null;
  if (action !== null && action !== "run") throw new Mistake(`expected run, got '${action}'`);
  const [removes, adoptAs] = [options["remove"] === true, options["adopt"]];
  const beforeRestore = options["beforeRestore"] === true;
  if (action === null) {
    if (!removes && adoptAs === undefined && !beforeRestore) return null;
    throw new Mistake("expected --remove, --adopt and --before-restore with zot audit run only");
  }
  if (removes && adoptAs !== undefined) throw new Mistake("expected --remove or --adopt, got both");
  if (beforeRestore && !removes) throw new Mistake("expected --before-restore with --remove only");
  if (typeof adoptAs === "string") return { strays: "adopt", repository: adoptAs };
  return { strays: removes ? "remove" : "tell", beforeRestore };
}

async function ask(server: AskedServer): Promise<Status> {
  return (await server.ask("GET", path)) as Status;
}

/** Waits for its end. */
async function ended(server: AskedServer, output: Output): Promise<Status> {
  for (;;) {
    const status = await ask(server);
    const { audit, isWaiting } = status;
    const isDone = !isWaiting && audit !== null && audit.outcome !== "running";
    if (output.columns !== undefined) {
      const line = audit === null || isWaiting ? "waiting" : `step ${audit.step} of ${audit.steps}`;
      output.error(isDone ? "\r\u001B[K" : `\r\u001B[Kaudit: ${line}`);
    }
    if (isDone) return status;
    await Bun.sleep(askedEveryMs);
  }
}

function shown({ isWaiting, audit }: Status): string {
  if (audit === null) return `no audit yet${isWaiting ? "; one begins within seconds" : ""}\n`;
  const { from, to, outcome, problem, step, steps, restoredAt, found } = audit;
  const state = outcome === "running" ? `running, step ${step} of ${steps}` : outcome;
  const stay = audit.strays - audit.removed - audit.adopted;
  const facts = [
    ["audit", `${state}, from ${from}${to === null ? "" : ` to ${to}`}`],
    ...(problem === null ? [] : [["problem", problem]]),
    ...(restoredAt === null ? [] : [["restored", `metadata were restored at ${restoredAt}`]]),
    ["objects", `${audit.objects} as they should be, ${formatBytes(audit.bytes)}`],
    ["lost", `${audit.lost}; ${audit.marked} copies were marked damaged (zot scrub status)`],
    [
      "unknown",
      `${audit.strays} objects, ${formatBytes(audit.strayBytes)}: ` +
        `${audit.removed} removed, ${audit.adopted} adopted, ${stay} stay`,
    ],
    ["unfinished", `${audit.unfinished} removed`],
  ];
  if (found.length === 0) return inColumns([], facts);
  const head = ["UNKNOWN OBJECT", "SIZE", "WRITTEN", "DIGEST"];
  const rows = found.map(({ key, sizeBytes, changedAt, digest }) => [
    key,
    formatBytes(sizeBytes),
    changedAt,
    digest ?? "",
  ]);
  return `${inColumns([], facts)}\n${inColumns(head, rows)}`;
}
