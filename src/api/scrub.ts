/** What is known of checks of content, of damage, and of what is kept of it, for administrators: of every repository. */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { nextLink } from "../lib/http_fields.ts";
import type { DamagedPlace } from "../metadata/scrub.ts";
import { apiError } from "../oci/errors.ts";
import type { RoundRecord } from "../registry/scrub/round.ts";
import { forgetKept, keptFiles } from "../registry/scrub/kept_files.ts";
import { damagedMax, listDamaged, scrubStatus } from "../registry/scrub/status.ts";
import { requireDigest, shorten, targetOf, unsupportedDigest, type App } from "./app.ts";
import { countParameter } from "./lists.ts";

/** GET: rounds, coverage, and a page of what is damaged. */
export async function getScrub(call: Call, app: App): Promise<Reply> {
  const after = placeParameter(call.query.get("last"));
  const count = Math.min(countParameter(call.query.get("n")) ?? damagedMax, damagedMax);
  const { state, nextAt, round, rounds, all, coverage, damaged } = await scrubStatus(app.registry);
  const { items, next } = await listDamaged(app.registry, after, count);
  const body = {
    state,
    nextAt: moment(nextAt),
    round: round === null ? null : toldRound(round),
    rounds: rounds.map(toldRound),
    checked: { digests: all.items, bytes: all.bytes },
    coverage: coverage.map(({ withinMs, items: digests, bytes, percent }) => ({
      withinHours: withinMs / 3_600_000,
      digests,
      bytes,
      percent,
    })),
    damaged: {
      copies: damaged.items,
      bytes: damaged.bytes,
      list: items.map(({ stamp: _stamp, since, ...told }) => ({ ...told, since: moment(since) })),
    },
    kept: await keptFiles(app.registry),
  };
  return jsonReply(200, body, {
    "cache-control": "no-store",
    ...(next === null ? {} : { link: linkTo(call, app, next, count) }),
  });
}

/** DELETE: what is kept of damaged content goes for good. */
export async function deleteKept(call: Call, { registry }: App): Promise<Reply> {
  const given = call.params["digest"] ?? "";
  const digest = requireDigest(given, () => unsupportedDigest(given));
  const { files, bytes } = await forgetKept(registry, digest);
  return jsonReply(200, { digest, files, bytes }, { "cache-control": "no-store" });
}

function toldRound({ from, to, ...rest }: RoundRecord): object {
  return { from: moment(from), to: moment(to), ...rest };
}

function moment(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

function linkTo(call: Call, app: App, next: DamagedPlace, count: number): string {
  const last = `${next.repository}@${next.digest}`;
  return nextLink(targetOf(call, app, "/v2/_zot/scrub"), [
    ["n", String(count)],
    ["last", last],
  ]);
}

function placeParameter(text: string | null): DamagedPlace | null {
  if (text === null) return null;
  const at = text.lastIndexOf("@");
  if (at > 0) return { repository: text.slice(0, at), digest: text.slice(at + 1) };
  throw apiError("PARAMETER_INVALID", {
    message: `Expected last=<repository>@<digest>, as the Link of the page before has it; got ${shorten(text)}`,
  });
}
