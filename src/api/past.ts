/**
 * Reads of the past: by a name such as `at.7d/team/app`, by `?at=`, or by the header `Zot-At`. The answer says which
 * moment it is of.
 */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { apiError } from "../oci/errors.ts";
import { isPastName, pastNameAt, pastNameFor } from "../oci/past_name.ts";
import { describePast, pastOf } from "../registry/history/past.ts";
import { shorten, type App } from "./app.ts";

const header = "zot-at";

/** Answers from the repository of the path, as it is or as it was when the request asks for. */
export function atItsTime(
  call: Call,
  app: App,
  answer: (repository: string) => Promise<Reply>,
): Promise<Reply> {
  const { repository } = call;
  const asked = askedTime(call);
  if (asked === null && !isPastName(repository)) return answer(repository);
  return answerThen(call, app, asked, answer);
}

async function answerThen(
  { repository }: Call,
  { registry }: App,
  asked: string | null,
  answer: (repository: string) => Promise<Reply>,
): Promise<Reply> {
  const name = asked === null ? repository : nameFor(repository, asked);
  const past = await pastOf(registry, name);
  if (past === null) return answer(name);
  // A time ago is fixed here, so that the answer is of the moment that it says.
  const isEvent = name.startsWith("at.n");
  const reply = await answer(isEvent ? name : pastNameAt(past.name, past.moment));
  return { ...reply, headers: { ...reply.headers, [header]: describePast(past) } };
}

function askedTime(call: Call): string | null {
  return (call.hasQuery("at") ? call.query.get("at") : null) ?? call.header(header);
}

function nameFor(repository: string, asked: string): string {
  if (isPastName(repository)) {
    throw apiError("PARAMETER_INVALID", {
      message: "Expected one time: in the name, in ?at= or in Zot-At; got two",
    });
  }
  const name = pastNameFor(repository, asked);
  if (name !== null) return name;
  throw apiError("PARAMETER_INVALID", {
    message: `Expected a time such as 2026-11-30, 2026-11-30T12:00:00Z, 90m or n48213, got ${shorten(asked)}`,
  });
}

/** Refuses the past of a repository; `why` ends the message. @throws NAME_UNKNOWN. */
export function requirePresent({ repository }: Call, why: string): void {
  if (!isPastName(repository)) return;
  throw apiError("NAME_UNKNOWN", { message: `Expected a repository as it is now: ${why}` });
}
