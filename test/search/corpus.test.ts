// The requests of zot's own clients, `zui` and `zli`, with the answers that they are to get: null or empty exactly as
// they read it. `corpus.json` has them, `corpus_data.ts` what they are about; moments of pushes stand as "now". Each is
// sent as its client sends it: braces as they are, form-encoded with the text as a body beside it, or in a body.

import { afterAll, beforeAll, expect, test } from "bun:test";
import corpus from "./corpus.json";
import { pushCorpus } from "./corpus_data.ts";
import { answerOf, SearchWorld, searchPath, type Answer } from "./search_world.ts";

interface Request {
  readonly client: string;
  readonly name: string;
  readonly query: string;
  readonly status: number;
  readonly data: unknown;
  readonly errors: readonly string[] | null;
}

let world: SearchWorld;

beforeAll(async () => {
  world = await SearchWorld.start();
  await pushCorpus(world);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const json = { "content-type": "application/json" };

/** As browsers write a URL that is given them as text. */
function raw(query: string): string {
  return query.replaceAll(" ", "%20").replaceAll('"', "%22");
}

const ways: readonly ((query: string) => Promise<Answer>)[] = [
  async (query) =>
    answerOf(await world.send("GET", `${searchPath}?query=${raw(query)}`, { headers: json })),
  async (query) =>
    answerOf(
      await world.send("GET", `${searchPath}?${new URLSearchParams({ query }).toString()}`, {
        headers: { ...json, authorization: "Basic Og==" },
      }),
    ),
  async (query) => world.post({ query }),
];

/** Of moments only that they are of this run. */
function withoutMoments(value: unknown): unknown {
  const now = new Date().getFullYear();
  const text = JSON.stringify(value).replaceAll(/"(\d{4})-\d\d-\d\dT[^"]*"/g, (time, year) =>
    Math.abs(Number(year) - now) <= 1 && Date.now() - Date.parse(time.slice(1, -1)) < 3_600_000
      ? '"now"'
      : time,
  );
  return JSON.parse(text);
}

test.each(corpus as readonly Request[])("$client: $name", async (request) => {
  for (const ask of ways) {
    const { status, data, errors } = await ask(request.query);
    expect([status, withoutMoments(data), errors?.map(({ message }) => message) ?? null]).toEqual([
      request.status,
      request.data,
      request.errors,
    ]);
  }
});

test("all requests that the clients were seen to send are there", () => {
  const of = (client: string) => corpus.filter((each) => each.client === client).length;
  expect([of("zui"), of("zli")]).toEqual([18, 11]);
});
