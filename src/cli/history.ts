// `zot history`: what a tag pointed at, newest first, numbered as `zot undo --to @n` takes them.

import { nextPage } from "../client/link_header.ts";
import { formatBytes } from "../lib/bytes.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import {
  failed,
  inColumns,
  parseTarget,
  wantsJson,
  withServer,
  type AskedServer,
  type Target,
} from "./server_given.ts";

/** An event of a tag, as `_oci/tag-history` tells it. */
export interface ToldEvent {
  readonly event: "created" | "deleted";
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** RFC 3339. */
  readonly at: string;
  /** Null where the server does not tell. */
  readonly by: string | null;
  readonly reason: string | null;
}

const standard = "org.opencontainers.distribution.tag";
const own = "io.zotregistry.tag";
/** Events that are shown where no number is asked for. */
const shownDefault = 20;
const eventsMax = 100_000;

export async function historyCommand(given: Given, output: Output): Promise<number> {
  return showHistory(given, output).catch((error: unknown) => failed(error, output));
}

async function showHistory(given: Given, output: Output): Promise<number> {
  const target = tagTarget(given.arguments["reference"] ?? "");
  const isJson = wantsJson(given);
  const count = countOf(given);
  return withServer(given, output, {
    server: target.server,
    run: async (server) => {
      const events = await eventsOf(server, target, count);
      if (isJson) output.out(`${JSON.stringify(events, null, 2)}\n`);
      else if (events.length === 0)
        output.out(`${target.repository}:${target.reference} has no history\n`);
      else output.out(inColumns(head, events.map(rowOf)));
      return 0;
    },
  });
}

const head = ["", "TIME", "EVENT", "DIGEST", "SIZE", "BY", "REASON"];

function rowOf(event: ToldEvent, place: number): string[] {
  const { at, event: what, digest, size, by, reason } = event;
  return [`@${place}`, at, what, digest, formatBytes(size), by ?? "-", reason ?? ""];
}

/** What a person named, which must have a tag. @throws Mistake. */
export function tagTarget(given: string): Target & { readonly reference: string } {
  const target = parseTarget(given);
  const { reference } = target;
  if (reference === null || reference.includes(":")) {
    throw new Mistake(`expected a tag, such as team/app:1.0; got '${given}'`);
  }
  return { ...target, reference };
}

/** Events of a tag, newest first, as many as asked for. */
export async function eventsOf(
  server: AskedServer,
  { repository, reference }: { readonly repository: string; readonly reference: string },
  count: number,
): Promise<ToldEvent[]> {
  const events: ToldEvent[] = [];
  let path: string | null =
    `/v2/${repository}/_oci/tag-history/${reference}?n=${Math.min(count, 1_000)}`;
  while (path !== null && events.length < count) {
    const answer = await server.send("GET", path);
    const index = JSON.parse(new TextDecoder().decode(answer.body)) as { manifests?: unknown };
    if (!Array.isArray(index.manifests)) throw new Mistake("expected an index; got something else");
    events.push(...index.manifests.map(eventOf));
    path = nextPage(answer.headers.get("Link"));
  }
  return events.slice(0, count);
}

function eventOf(descriptor: {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Readonly<Record<string, string>>;
}): ToldEvent {
  const { mediaType, digest, size, annotations = {} } = descriptor;
  return {
    event: annotations[`${standard}.event`] === "deleted" ? "deleted" : "created",
    digest,
    mediaType,
    size,
    at: annotations[`${standard}.timestamp`] ?? "",
    by: annotations[`${own}.by`] ?? null,
    reason: annotations[`${own}.reason`] ?? null,
  };
}

function countOf(given: Given): number {
  const asked = text(given, "number");
  if (asked === null) return shownDefault;
  const count = /^\d{1,6}$/.test(asked) ? Number(asked) : 0;
  if (count > 0 && count <= eventsMax) return count;
  throw new Mistake(`expected --number from 1 to ${eventsMax}; got '${asked}'`);
}
