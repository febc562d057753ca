// The rows of the tables: a rule, what is there before, and requests with the exact answers that they get.
//
// `testRows` runs each row in a repository of its own (`{r}`; `{r2}` is a second one). An answer must come from the
// named row of the endpoint table, with exactly the headers that the step names beside those of every answer. An API
// error must be the named one, in the specification's shape, and leave nothing on disk. Every GET is repeated as HEAD,
// which must say the same without a body. Endpoint and answer stand in the row as plain data, so that
// `test/endpoints.test.ts` can tell what the tables cover without running them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Exchange } from "../../src/client/exchange.ts";
import { apiErrors, type ApiErrorName } from "../../src/oci/errors.ts";
import type { Content, ManifestContent } from "./content.ts";
import { addedFiles, filesOf, startWorld, type SendOptions, type World } from "./world.ts";

/** A status, or the name of the reason. */
export type Answer = number | ApiErrorName;

/** Header by name; a text may hold `{r}` and the like; null means that it must not be there. */
export type Headers = Readonly<Record<string, string | RegExp>>;

export interface Step {
  /** Method and raw target, such as `GET /v2/{r}/tags/list`. */
  readonly send: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: SendOptions["body"];
  /** Name of the row of the endpoint table; "none" when no row may run. */
  readonly endpoint: string;
  readonly answer: Answer;
  /** Headers beside those of every answer. An API error needs to name only what it adds. */
  readonly has?: Headers;
  /** The body: bytes, text, or a JSON value; absent means none, or an error body. */
  readonly gives?: unknown;
  /** For what cannot be written down beforehand. */
  readonly check?: (answer: Exchange, scene: Scene) => void | Promise<void>;
  /** For a reason: what its first message must say. */
  readonly says?: RegExp;
  /** An API error that is allowed to change the disk, such as one that follows a body that was kept. */
  readonly leaves?: "bytes";
}

export interface Row {
  /** The rule, as a sentence. */
  readonly rule: string;
  /** Where the rule stands: `[end-2]`, `RFC 9110 §14.2`, `ours`. */
  readonly source: string;
  readonly given?: readonly Given[];
  readonly steps: readonly Step[];
}

/** A rule that takes requests at once, broken connections or restarts to show. */
export interface Story {
  readonly rule: string;
  readonly source: string;
  /** Endpoints and answers that must be seen while it runs. */
  readonly covers: readonly (readonly [endpoint: string, answer: Answer])[];
  readonly run: (scene: Scene) => Promise<void>;
}

/** Something that is there before the steps. */
export type Given =
  | { readonly blob: Content; readonly in?: string }
  | { readonly manifest: ManifestContent; readonly tag?: string; readonly in?: string };

/** What a row runs in. */
export interface Scene {
  readonly world: World;
  /** Values of `{r}`, `{r2}`, and of `{at}`: the path of the last upload that was opened. */
  readonly names: Map<string, string>;
  readonly fill: (text: string) => string;
  /** Sends a step and checks its answer. */
  step(step: Step): Promise<Exchange>;
  give(given: Given): Promise<void>;
}

let scenes = 0;

/** A scene with repository names that no other scene of this process has. */
export function newScene(world: World): Scene {
  scenes += 1;
  const names = new Map([
    ["r", `row-${scenes}/main`],
    ["r2", `row-${scenes}/other`],
    ["encoded", `row-${scenes}%2Fmain`],
  ]);
  const fill = (text: string): string =>
    text.replace(
      /\{(r|r2|encoded|at|before|id)\}/g,
      (whole, name: string) => names.get(name) ?? whole,
    );
  const scene: Scene = {
    world,
    names,
    fill,
    step: (step) => runStep(scene, step),
    give: (given) => give(scene, given),
  };
  return scene;
}

/** Declares one test for each row, over one server. */
export function testRows(
  name: string,
  rows: readonly Row[],
  config?: Record<string, object>,
): void {
  describe(name, () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(config);
    });
    afterAll(() => world[Symbol.asyncDispose]());
    test.each(rows.map((row) => [`${row.rule} (${row.source})`, row] as const))("%s", (_, row) =>
      runRow(newScene(world), row),
    );
  });
}

/** Declares one test for each story, over one server. */
export function testStories(
  name: string,
  stories: readonly Story[],
  config?: Record<string, object>,
): void {
  describe(name, () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(config);
    });
    afterAll(() => world[Symbol.asyncDispose]());
    test.each(stories.map((story) => [`${story.rule} (${story.source})`, story] as const))(
      "%s",
      async (_, { run, covers }) => {
        const recorded = world.records.length;
        await run(newScene(world));
        const seen = world.records
          .slice(recorded)
          .map(({ what, reason, status }) => `${what} ${reason ?? status}`);
        for (const pair of covers) expect(seen).toContain(pair.join(" "));
      },
    );
  });
}

export async function runRow(scene: Scene, row: Row): Promise<void> {
  for (const given of row.given ?? []) await scene.give(given);
  for (const step of row.steps) await scene.step(step);
  const onlyRefused = row.steps.every(({ answer }) => typeof answer === "string");
  if (row.given === undefined && onlyRefused) await expectNoRepository(scene);
}

/** A refused push makes no repository: not in lists, not on disk. */
export async function expectNoRepository(scene: Scene): Promise<void> {
  const { world } = scene;
  const repository = scene.fill("{r}");
  const tags = await world.send("GET", `/v2/${repository}/tags/list`);
  expect(tags.status, "a refused request made a repository").toBe(404);
  const traces = [...filesOf(world.rootDirectory).keys()].filter((path) =>
    path.startsWith(repository.split("/")[0] ?? "?"),
  );
  expect(traces).toEqual([]);
}

async function give(scene: Scene, given: Given): Promise<void> {
  const { world, fill } = scene;
  const repository = fill(given.in ?? "{r}");
  const answer =
    "blob" in given
      ? await world.send("POST", `/v2/${repository}/blobs/uploads/?digest=${given.blob.digest}`, {
          body: given.blob.bytes,
        })
      : await world.send(
          "PUT",
          `/v2/${repository}/manifests/${given.tag ?? given.manifest.digest}`,
          { body: given.manifest.bytes, headers: { "content-type": given.manifest.mediaType } },
        );
  expect(answer.status, `given: ${Buffer.from(answer.body).toString()}`).toBe(201);
}

async function runStep(scene: Scene, step: Step): Promise<Exchange> {
  const { world, fill } = scene;
  const [method = "", ...rest] = fill(step.send).split(" ");
  const target = rest.join(" ");
  const before = typeof step.answer === "string" ? filesOf(world.rootDirectory) : null;
  const recorded = world.records.length;
  const options = optionsOf(scene, step);
  const answer = await world.send(method, target, options);
  const shown = `${method} ${target} -> ${answer.status} ${bodyText(answer)}`;
  const record = world.records.slice(recorded).find((line) => line.method === method);
  expect({
    shown,
    endpoint: record?.what,
    status: answer.status,
    reason: record?.reason,
  }).toEqual({
    shown,
    endpoint: step.endpoint,
    status: statusOf(step.answer),
    reason: typeof step.answer === "string" ? step.answer : undefined,
  });
  expect(record?.aborted, "the client stayed").toBeUndefined();
  expectHeaders(scene, step, answer, shown);
  expectBody(scene, step, answer, method);
  if (before !== null && step.leaves === undefined) {
    expect(addedFiles(before, filesOf(world.rootDirectory)), `${shown} left something`).toEqual([]);
  }
  if (method === "GET" && answer.status !== 405) {
    await expectSameHead(scene, target, options, answer);
  }
  await step.check?.(answer, scene);
  const location = answer.headers.get("location");
  if (location?.includes("/blobs/uploads/") === true && answer.status === 202) {
    scene.names.set("before", scene.names.get("at") ?? location);
    scene.names.set("at", location);
    scene.names.set("id", location.split("/").at(-1) ?? "");
  }
  return answer;
}

function optionsOf(scene: Scene, step: Step): SendOptions {
  const headers = Object.entries(step.headers ?? {}).map(
    ([name, value]) => [name, scene.fill(value)] as const,
  );
  return { headers, ...(step.body === undefined ? {} : { body: step.body }) };
}

function statusOf(answer: Answer): number {
  return typeof answer === "number" ? answer : apiErrors[answer].status;
}

function bodyText(answer: Exchange): string {
  return Buffer.from(answer.body.subarray(0, 400)).toString();
}

/** On every answer of the registry. */
const everywhere: Headers = {
  "docker-distribution-api-version": "registry/2.0",
  "x-content-type-options": "nosniff",
};

function expectHeaders(scene: Scene, step: Step, answer: Exchange, shown: string): void {
  const wanted: Record<string, string | RegExp> = { ...everywhere };
  if (typeof step.answer === "string") {
    wanted["content-type"] = "application/json";
    wanted["x-request-id"] = /^test-[0-9a-z]+$/;
  }
  Object.assign(wanted, step.has);
  const framed = "transfer-encoding" in wanted || answer.status === 204 || answer.status === 304;
  if (!framed) wanted["content-length"] ??= /^\d+$/;
  const got = headersOf(answer);
  if (isStreamed(scene, got)) {
    delete wanted["content-length"];
    wanted["transfer-encoding"] = "chunked";
  }
  expect(Object.keys(got).sort(), shown).toEqual(Object.keys(wanted).sort());
  for (const [name, value] of Object.entries(wanted)) {
    const actual = got[name] ?? "";
    if (value instanceof RegExp) expect(actual, `${name} of ${shown}`).toMatch(value);
    else expect(actual, `${name} of ${shown}`).toBe(scene.fill(value));
  }
  const session = got["docker-upload-uuid"];
  if (session !== undefined) expect(got["location"]).toContain(`/blobs/uploads/${session}`);
}

/** The runtime says no length of a stream, though its handler does. */
function isStreamed({ world }: Scene, got: Readonly<Record<string, string>>): boolean {
  return world.isStreaming && got["transfer-encoding"] === "chunked";
}

/** By lower-case name. Each must be one line: clients join, drop or refuse repeated ones. */
export function headersOf(answer: Exchange): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of answer.headers.lines) {
    const key = name.toLowerCase();
    if (key === "date" || key === "connection") continue;
    expect(found[key], `${name} comes twice`).toBeUndefined();
    found[key] = value;
  }
  return found;
}

function expectBody(scene: Scene, step: Step, answer: Exchange, method: string): void {
  const length = answer.headers.get("content-length");
  if (method !== "HEAD" && length !== null) expect(answer.bodyBytes).toBe(Number(length));
  if (method === "HEAD") {
    expect(answer.bodyBytes).toBe(0);
  } else if (typeof step.answer === "string") {
    expectErrorBody(step, answer);
  } else if (step.gives === undefined) {
    if (step.check === undefined) expect(answer.bodyBytes).toBe(0);
  } else if (step.gives instanceof Uint8Array) {
    expect(Buffer.from(answer.body).equals(Buffer.from(step.gives)), "the exact bytes").toBe(true);
  } else if (typeof step.gives === "string") {
    expect(Buffer.from(answer.body).toString()).toBe(step.gives);
  } else {
    const wanted: unknown = JSON.parse(scene.fill(JSON.stringify(step.gives)));
    expect(JSON.parse(Buffer.from(answer.body).toString())).toEqual(wanted);
  }
}

/** The body that distribution-spec, "Error codes", asks for. */
function expectErrorBody(step: Step, answer: Exchange): void {
  const row = apiErrors[step.answer as ApiErrorName];
  const body = JSON.parse(Buffer.from(answer.body).toString()) as { errors: unknown[] };
  expect(Object.keys(body)).toEqual(["errors"]);
  expect(body.errors.length).toBeGreaterThan(0);
  for (const entry of body.errors as Record<string, unknown>[]) {
    expect(entry["code"]).toBe(row.code);
    expect(entry["message"]).toBeString();
    expect(Object.keys(entry).every((key) => ["code", "message", "detail"].includes(key))).toBe(
      true,
    );
  }
  const [first] = body.errors as { message: string }[];
  if (step.says !== undefined) expect(first?.message).toMatch(step.says);
}

/** HEAD says what GET says (RFC 9110 §9.3.2), but answers no range. */
async function expectSameHead(
  scene: Scene,
  target: string,
  options: SendOptions,
  got: Exchange,
): Promise<void> {
  const headers = Object.fromEntries(
    (options.headers as [string, string][]).filter(([name]) => name.toLowerCase() !== "range"),
  );
  const ranged = Object.keys(headers).length < (options.headers as unknown[]).length;
  const reference = ranged ? await scene.world.send("GET", target, { headers }) : got;
  const head = await scene.world.send("HEAD", target, { ...options, readPastEnd: true });
  expect(head.status, `HEAD ${target}`).toBe(reference.status);
  expect(head.bodyBytes, `HEAD ${target} has no body`).toBe(0);
  const isLong = isStreamed(scene, headersOf(reference));
  const framing = isLong ? { "content-length": "", "transfer-encoding": "" } : {};
  const changing = { "x-request-id": "", connection: "", ...framing };
  expect({ ...headersOf(head), ...changing }).toEqual({ ...headersOf(reference), ...changing });
}
