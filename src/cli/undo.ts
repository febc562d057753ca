// `zot undo`: sets a tag back, if it is as it was shown; or, with --since, takes back all that was done to tags since
// then, once its plan was seen.

import { parseMoment } from "../lib/moment.ts";
import type { Given, Output } from "./command.ts";
import { eventsOf, tagTarget, type ToldEvent } from "./history.ts";
import { Mistake, text } from "./registry_flags.ts";
import {
  failed,
  inColumns,
  printable,
  wantsJson,
  withServer,
  type AskedServer,
} from "./server_given.ts";

/** Events that are searched for a digest or a time. */
const searchedMax = 100_000;

export async function undoCommand(given: Given, output: Output): Promise<number> {
  return undo(given, output).catch((error: unknown) => failed(error, output));
}

async function undo(given: Given, output: Output): Promise<number> {
  const reference = given.arguments["reference"] ?? null;
  const since = text(given, "since");
  if (reference !== null && since !== null) {
    throw new Mistake("expected a tag, or --since for a whole mishap; got both");
  }
  if (reference !== null) return undoTag(given, output, reference);
  if (since === null)
    throw new Mistake("expected a tag such as team/app:1.0, or --since; got neither");
  return undoMishap(given, output, since);
}

async function undoTag(given: Given, output: Output, reference: string): Promise<number> {
  for (const flag of ["by", "prefix"]) {
    if (text(given, flag) !== null) throw new Mistake(`--${flag} is for --since; got a tag`);
  }
  const target = tagTarget(reference);
  const to = text(given, "to");
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: target.server,
    run: async (server) => {
      const events = await eventsOf(server, target, to === null ? 2 : searchedMax);
      const shown = `${target.repository}:${target.reference}`;
      const [last] = events;
      if (last === undefined)
        throw new Mistake(`expected a tag that was set once; ${shown} never was`);
      const expect = standing(last);
      const digest = wanted(events, to, shown);
      if (digest === expect) {
        throw new Mistake(
          `${shown} ${digest === null ? "is gone" : `points at ${digest}`} already`,
        );
      }
      const path = `/v2/${target.repository}/_zot/tag-history/${target.reference}/restore`;
      const answer = await server.ask("POST", path, { digest, expect });
      if (isJson) output.out(`${JSON.stringify(answer, null, 2)}\n`);
      else output.out(`${told(shown, digest, last)}${pinned(answer)}\n`);
      return 0;
    },
  });
}

/** What the tag points at after an event. */
function standing({ event, digest }: ToldEvent): string | null {
  return event === "deleted" ? null : digest;
}

/** What the tag is to point at: as before the last event, or as `--to` says. @throws Mistake. */
function wanted(events: readonly ToldEvent[], to: string | null, shown: string): string | null {
  if (to === null) {
    const before = events[1];
    return before === undefined ? null : standing(before);
  }
  const place = /^@(\d{1,6})$/.exec(to)?.[1];
  if (place !== undefined) {
    const event = events[Number(place)];
    if (event !== undefined) return standing(event);
    throw new Mistake(`expected --to @0 to @${events.length - 1}, as 'zot history ${shown}' shows`);
  }
  if (to.includes(":") && !to.includes("T")) {
    if (events.some(({ digest }) => digest === to)) return to;
    throw new Mistake(`expected a digest that ${shown} pointed at once; got '${to}'`);
  }
  const moment = parseMoment(to)?.moment;
  if (moment === undefined) {
    throw new Mistake(
      `expected --to a digest, a time such as 2026-11-30T12:00:00Z, or @n; got '${to}'`,
    );
  }
  const event = events.find(({ at }) => (parseMoment(at)?.moment ?? Infinity) <= moment);
  return event === undefined ? null : standing(event);
}

function told(shown: string, digest: string | null, last: ToldEvent): string {
  const who = last.by === null ? "" : ` by ${printable(last.by)}`;
  const before = `${last.event === "deleted" ? "removed" : `set to ${last.digest}`} at ${last.at}${who}`;
  if (digest === null) return `${shown} is removed again (it was ${before})`;
  return `${shown} points at ${digest} again (it was ${before})`;
}

function pinned(answer: unknown): string {
  const until = (answer as { pinnedUntil?: unknown } | null)?.pinnedUntil;
  return typeof until === "string" ? `; retention leaves it alone until ${until}` : "";
}

interface Step {
  readonly repository: string;
  readonly tag: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly at: string;
  readonly by?: string | null;
  readonly problem: string | null;
}

async function undoMishap(given: Given, output: Output, since: string): Promise<number> {
  if (text(given, "to") !== null) throw new Mistake("--to is for a tag; got --since");
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      const plan = await planOf(server, given, since);
      const possible = plan.filter(({ problem }) => problem === null);
      if (isJson) output.out(`${JSON.stringify(plan, null, 2)}\n`);
      else output.out(plan.length === 0 ? "nothing to undo\n" : inColumns(head, plan.map(rowOf)));
      if (possible.length === 0) return plan.length === 0 ? 0 : 1;
      if (given.options["yes"] !== true) {
        output.error(`zot: this is a plan; --yes undoes these ${possible.length} in one step\n`);
        return 0;
      }
      const steps = possible.map(({ repository, tag, from, to }) => ({
        repository,
        tag,
        from,
        to,
      }));
      const answer = await server.ask("POST", "/v2/_zot/undo", { steps });
      if (!isJson) output.out(`undone: ${steps.length}${pinned(answer)}\n`);
      return possible.length === plan.length ? 0 : 1;
    },
  });
}

async function planOf(server: AskedServer, given: Given, since: string): Promise<readonly Step[]> {
  const query = new URLSearchParams({ since });
  for (const flag of ["by", "prefix"]) {
    const value = text(given, flag);
    if (value !== null) query.set(flag, value);
  }
  const plan = await server.ask("GET", `/v2/_zot/undo?${query.toString()}`);
  return (plan as { steps: readonly Step[] }).steps;
}

const head = ["REPOSITORY", "TAG", "NOW", "BACK TO", "CHANGED", "BY", "PROBLEM"];

function rowOf({ repository, tag, from, to, at, by, problem }: Step): string[] {
  return [repository, tag ?? "-", brief(from), brief(to), at, by ?? "-", problem ?? ""];
}

function brief(digest: string | null): string {
  return digest === null ? "nothing" : digest.slice(0, digest.indexOf(":") + 13);
}
