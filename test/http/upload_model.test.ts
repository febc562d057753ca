// Uploads against a model: random requests on several uploads of two repositories, with restarts between.
//
// The model is a map from upload to bytes. After every request each upload must hold what the model says, under
// its own repository only; at the end every blob that was finished must be readable, and no other.

import { afterAll, beforeAll, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ClientError } from "../../src/client/client_error.ts";
import type { HeaderLines } from "../../src/client/http_message.ts";
import { chunkedBody, type RequestBody } from "../../src/client/transport.ts";
import { eventually } from "../processes.ts";
import { holds } from "../property.ts";
import { content, pattern } from "./content.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** Random bytes are cut from here. Longer than what the server takes into memory at once. */
const ocean = pattern(700_000).bytes;

interface Bytes {
  readonly from: number;
  readonly length: number;
}

type Framing = "length" | "chunks";

type Command =
  | { readonly do: "open"; readonly repository: number }
  | {
      readonly do: "stream";
      readonly upload: number;
      readonly bytes: Bytes;
      readonly framing: Framing;
    }
  | {
      readonly do: "chunk";
      readonly upload: number;
      readonly bytes: Bytes;
      readonly framing: Framing;
      /** Added to the right position. */
      readonly shift: number;
      /** Added to the length that Content-Range says. */
      readonly stretch: number;
    }
  | {
      readonly do: "finish";
      readonly upload: number;
      readonly bytes: Bytes;
      readonly framing: Framing;
      readonly digest: "right" | "wrong" | "none" | "malformed" | "sha512";
    }
  | {
      readonly do: "break";
      readonly upload: number;
      readonly bytes: Bytes;
      readonly placed: boolean;
    }
  | { readonly do: "cancel"; readonly upload: number }
  | { readonly do: "stray"; readonly upload: number }
  | {
      readonly do: "post";
      readonly repository: number;
      readonly bytes: Bytes;
      readonly right: boolean;
    }
  | { readonly do: "restart" };

const upload = fc.nat(4);
const repository = fc.nat(1);
const bytes = fc.record({
  from: fc.nat(1000),
  length: fc.oneof(
    { weight: 6, arbitrary: fc.nat(50) },
    { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 255_000, max: 600_000 }) },
  ),
});
const framing = fc.constantFrom<Framing>("length", "chunks");
const mostly = <T>(value: T, others: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: others });

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const), repository }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("stream" as const), upload, bytes, framing }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("chunk" as const),
      upload,
      bytes,
      framing,
      shift: mostly(0, fc.integer({ min: -20, max: 20 })),
      stretch: mostly(0, fc.integer({ min: -3, max: 3 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("finish" as const),
      upload,
      bytes: mostly({ from: 0, length: 0 }, bytes),
      framing,
      digest: fc.constantFrom("right", "right", "sha512", "wrong", "none", "malformed"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("break" as const),
      upload,
      bytes,
      placed: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), upload }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stray" as const), upload }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("post" as const),
      repository,
      bytes,
      right: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

interface Session {
  readonly repository: string;
  readonly at: string;
  held: Uint8Array;
}

let runs = 0;

class Model {
  readonly repositories: readonly string[];
  /** Open uploads; a number of a command counts round. */
  sessions: Session[] = [];
  /** Paths of uploads that are gone. */
  readonly gone: string[] = [];
  readonly finished: {
    readonly repository: string;
    readonly digest: string;
    readonly bytes: Uint8Array;
  }[] = [];

  constructor() {
    runs += 1;
    this.repositories = [`model-${runs}/a`, `model-${runs}/b`];
  }

  async run(command: Command): Promise<void> {
    switch (command.do) {
      case "open":
        return this.#open(this.#repository(command.repository));
      case "post":
        return this.#post(command);
      case "restart":
        return world.restart();
      default: {
        const session = this.sessions[command.upload % Math.max(this.sessions.length, 1)];
        if (session !== undefined) await this.#onUpload(session, command);
      }
    }
  }

  async check(): Promise<void> {
    for (const { at, held } of this.sessions) {
      const { status, headers } = await world.send("GET", at);
      expect([status, headers.get("range")]).toEqual([204, `0-${Math.max(held.length - 1, 0)}`]);
      expect(bytesHeld(headers)).toBe(held.length);
    }
  }

  async checkAll(): Promise<void> {
    await this.check();
    for (const at of this.gone) expect((await world.send("GET", at)).status).toBe(404);
    for (const { repository, digest, bytes } of this.finished) {
      const got = await world.send("GET", `/v2/${repository}/blobs/${digest}`);
      expect(got.status).toBe(200);
      expect(Buffer.from(got.body).equals(Buffer.from(bytes))).toBe(true);
      const other = this.repositories.find((name) => name !== repository) ?? "";
      const there = this.finished.some((one) => one.repository === other && one.digest === digest);
      expect((await world.send("HEAD", `/v2/${other}/blobs/${digest}`)).status).toBe(
        there ? 200 : 404,
      );
    }
  }

  #repository(number: number): string {
    return this.repositories[number] ?? "";
  }

  async #open(repository: string): Promise<void> {
    const opened = await world.send("POST", `/v2/${repository}/blobs/uploads/`);
    expect(opened.status).toBe(202);
    const at = opened.headers.get("location") ?? "";
    this.sessions.push({ repository, at, held: new Uint8Array(0) });
  }

  async #post({ repository, bytes, right }: Extract<Command, { do: "post" }>): Promise<void> {
    const name = this.#repository(repository);
    const sent = content(cut(bytes));
    const digest = right ? sent.digest : content("other bytes").digest;
    const target = `/v2/${name}/blobs/uploads/?digest=${digest}`;
    const posted = await world.send("POST", target, { body: sent.bytes });
    if (!right && sent.bytes.length === 0) {
      // Without a body the digest only announces what an upload will bring.
      expect(posted.status).toBe(202);
      await world.send("DELETE", posted.headers.get("location") ?? "");
      return;
    }
    expect(posted.status).toBe(right ? 201 : 400);
    if (right) this.finished.push({ repository: name, digest, bytes: sent.bytes });
  }

  async #onUpload(
    session: Session,
    command: Exclude<Command, { do: "open" | "post" | "restart" }>,
  ): Promise<void> {
    switch (command.do) {
      case "stream": {
        const sent = cut(command.bytes);
        const answer = await world.send("PATCH", session.at, {
          body: framed(sent, command.framing),
        });
        expect(answer.status).toBe(202);
        session.held = joined(session.held, sent);
        return;
      }
      case "chunk":
        return this.#chunk(session, command);
      case "finish":
        return this.#finish(session, command);
      case "break":
        return this.#breakOff(session, command);
      case "cancel":
        expect((await world.send("DELETE", session.at)).status).toBe(204);
        return this.#drop(session);
      case "stray": {
        // The same upload under the other repository is not there.
        const other = this.repositories.find((name) => name !== session.repository) ?? "";
        const stray = session.at.replace(session.repository, other);
        expect((await world.send("PATCH", stray, { body: "stray" })).status).toBe(404);
        expect((await world.send("GET", stray)).status).toBe(404);
      }
    }
  }

  async #chunk(
    session: Session,
    { bytes, framing, shift, stretch }: Extract<Command, { do: "chunk" }>,
  ): Promise<void> {
    const sent = cut(bytes);
    const first = session.held.length + shift;
    const last = first + sent.length - 1 + stretch;
    const headers = { "content-range": `${first}-${last}` };
    const answer = await world.send("PATCH", session.at, { body: framed(sent, framing), headers });
    const wellFormed = first >= 0 && last >= first;
    if (!wellFormed) expect(answer.status).toBe(400);
    else if (shift !== 0) expect(answer.status).toBe(416);
    else if (stretch !== 0) expect(answer.status).toBe(400);
    else {
      expect(answer.status).toBe(202);
      session.held = joined(session.held, sent);
    }
  }

  async #finish(
    session: Session,
    { bytes, framing, digest }: Extract<Command, { do: "finish" }>,
  ): Promise<void> {
    const sent = cut(bytes);
    const whole = content(joined(session.held, sent));
    const named = {
      right: `?digest=${whole.digest}`,
      sha512: `?digest=${whole.sha512}`,
      wrong: `?digest=${content(`not ${whole.digest}`).digest}`,
      none: "",
      malformed: "?digest=sha256:abc",
    }[digest];
    const body = sent.length === 0 ? undefined : framed(sent, framing);
    const answer = await world.send("PUT", `${session.at}${named}`, { body });
    if (digest !== "right" && digest !== "sha512") {
      expect(answer.status).toBe(400);
      return;
    }
    expect(answer.status).toBe(201);
    const name = digest === "right" ? whole.digest : whole.sha512;
    expect(answer.headers.get("docker-content-digest")).toBe(name);
    this.finished.push({ repository: session.repository, digest: name, bytes: whole.bytes });
    this.#drop(session);
  }

  /** A client goes away: of a stream a first part stays, of a chunk nothing. */
  async #breakOff(
    session: Session,
    { bytes, placed }: Extract<Command, { do: "break" }>,
  ): Promise<void> {
    const sent = cut(bytes);
    if (sent.length < 2) return;
    const first = session.held.length;
    const headers = placed ? { "content-range": `${first}-${first + sent.length - 1}` } : {};
    const body = {
      open: () => [sent.subarray(0, sent.length / 2), sent],
      lengthBytes: sent.length,
    };
    const recorded = world.records.length;
    const cutAfterBytes = Math.floor(sent.length / 2);
    const error = await world
      .send("PATCH", session.at, { body, headers, cutAfterBytes })
      .catch((reason: unknown) => reason);
    expect(error instanceof ClientError && error.kind).toBe("aborted");
    await eventually("the server notices that the client is gone", () =>
      world.records.slice(recorded).some(({ method }) => method === "PATCH"),
    );
    const { headers: state } = await world.send("GET", session.at);
    const size = bytesHeld(state);
    if (placed) expect(size).toBe(first);
    expect(size).toBeGreaterThanOrEqual(first);
    expect(size).toBeLessThanOrEqual(first + cutAfterBytes);
    session.held = joined(session.held, sent.subarray(0, size - first));
  }

  #drop(session: Session): void {
    this.sessions = this.sessions.filter((one) => one !== session);
    this.gone.push(session.at);
  }
}

/** What the place of an upload says. Its range is `0-0` for one byte and for none. */
function bytesHeld(state: HeaderLines): number {
  return Number(/\.(\d+)$/.exec(state.get("location") ?? "")?.[1] ?? 0);
}

function cut({ from, length }: Bytes): Uint8Array {
  return ocean.subarray(from, from + length);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  return Buffer.concat([first, second]);
}

function framed(bytes: Uint8Array, framing: Framing): Uint8Array | RequestBody {
  return framing === "length" ? bytes : chunkedBody(bytes, 30_000);
}

test("uploads hold what the model says, whatever is asked in whatever order", async () => {
  await holds(
    "uploads against a model",
    fc.asyncProperty(
      fc.array(command, { minLength: 5, maxLength: 40, size: "max" }),
      async (commands) => {
        const model = new Model();
        await model.run({ do: "open", repository: 0 });
        for (const next of commands) {
          await model.run(next);
          await model.check();
        }
        await model.checkAll();
      },
    ),
    40,
  );
}, 120_000);
