/** Reads an object, or a range of it, by `GET` with `Range`, which all stores know. */
import type { Clock } from "../../../lib/clock.ts";
import type { ContentRange } from "../../blob_store.ts";
import { ObjectStoreUnavailable } from "../object_store.ts";
import { objectBody } from "./object_body.ts";
import type { StoreRequest } from "./store_dialect.ts";
import type { OpenAnswer, StoreRequests } from "./store_requests.ts";

export interface GetParts {
  readonly requests: StoreRequests;
  readonly clock: Clock;
  /** The store's, for messages. */
  readonly name: string;
}

/** Null where there is no such object. @throws ObjectStoreUnavailable, ObjectStoreRefused */
export async function getObject(
  request: StoreRequest,
  range: ContentRange | null,
  parts: GetParts,
): Promise<ReadableStream<Uint8Array> | null> {
  const answer = await open(request, range, parts);
  if (answer === null) return null;
  const sizeBytes = Number(answer.response.headers.get("Content-Length") ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes)) {
    throw unusable(answer, "it does not say how long its body is", parts);
  }
  const first = range?.first ?? 0;
  return objectBody(answer, {
    clock: parts.clock,
    sizeBytes,
    name: `${parts.name}: ${request.key}`,
    resume: async (position) => {
      if (!parts.requests.mayResume()) return null;
      const rest = { first: first + position, last: first + sizeBytes - 1 };
      return await open(request, rest, parts);
    },
  });
}

async function open(
  request: StoreRequest,
  range: ContentRange | null,
  parts: GetParts,
): Promise<OpenAnswer | null> {
  const lines: Record<string, string> =
    range === null ? {} : { Range: `bytes=${range.first}-${range.last}` };
  const answer = await parts.requests.open({
    ...request,
    headers: { ...request.headers, ...lines },
  });
  if (answer === null || answer.response.status === (range === null ? 200 : 206)) return answer;
  throw unusable(answer, `it answered ${answer.response.status} to a question for a range`, parts);
}

function unusable(answer: OpenAnswer, why: string, { name }: GetParts): ObjectStoreUnavailable {
  answer.abort();
  answer.over();
  return new ObjectStoreUnavailable(`${name} cannot be read from: ${why}`);
}
