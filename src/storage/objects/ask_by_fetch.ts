/** Asks the services that logins of clouds come from: within a time and a size, without following redirects. */
import { KiB } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import {
  CloudLoginError,
  type LoginAnswer,
  type LoginRequest,
} from "../../lib/cloud/cloud_login.ts";

const wholeMs = 30_000;
const answerBytesMax = 256 * KiB;

/** @throws CloudLoginError */
export async function askByFetch(request: LoginRequest, clock: Clock): Promise<LoginAnswer> {
  const late = new AbortController();
  const over = new AbortController();
  void clock.sleep(request.wholeMs ?? wholeMs, over.signal).then(() => {
    if (!over.signal.aborted) late.abort();
  });
  const { body } = request;
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: [...(request.headers ?? [])].map(([name, value]): [string, string] => [name, value]),
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : new URLSearchParams(body) }),
      redirect: "manual",
      signal: late.signal,
    });
    const bytes = await response.bytes();
    if (bytes.length > answerBytesMax) throw new Error("its answer is too long");
    return { status: response.status, text: Buffer.from(bytes).toString("utf8") };
  } catch (error) {
    const why = late.signal.aborted ? "no answer in time" : describe(error);
    throw new CloudLoginError(new URL(request.url).host, why, error);
  } finally {
    over.abort();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return "no answer";
  return "code" in error ? String(error.code) : error.message;
}
