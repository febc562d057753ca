// Commits over a message channel: every request is answered once, in any order; a closed channel leaves nobody
// waiting; errors keep their class.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  answerCommit,
  ChannelCommitter,
  type CommitReply,
  type CommitRequest,
} from "./commit_channel.ts";
import {
  type AnyCommit,
  type Commit,
  type CommitOutcome,
  type Committer,
  MetadataFull,
  MetadataUnavailable,
} from "./metadata.ts";
import { reasonOf } from "../../test/reason_of.ts";

const commit = (by: string): Commit => ({
  repository: "a",
  preconditions: [],
  changes: [{ kind: "create-repository" }],
  by,
});
const committed: CommitOutcome = { committed: true };

/** A channel whose requests pile up until the test answers them. */
function channel() {
  const sent: CommitRequest[] = [];
  const committer = new ChannelCommitter((request) => void sent.push(request));
  return { sent, committer };
}

describe("the worker's end", () => {
  test("answers each commit with its own reply, whatever the order of the replies", async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }).chain((count) =>
        fc.shuffledSubarray(
          Array.from({ length: count }, (_, index) => index),
          { minLength: count },
        ),
      ),
      async (order) => {
        const { sent, committer } = channel();
        const asked = order.map((_, index) => committer.commit(commit(`${index}`)));
        expect(sent.map(({ commit }) => "by" in commit && commit.by)).toEqual(
          order.map((_, index) => `${index}`),
        );
        expect(new Set(sent.map(({ id }) => id)).size).toBe(order.length);
        for (const index of order) {
          const { id } = sent[index]!;
          const outcome: CommitOutcome =
            index % 2 === 0 ? committed : { committed: false, failed: [] };
          committer.receive({ type: "committed", id, outcome });
          // A second reply to the same request, and one to none, change nothing.
          committer.receive({ type: "committed", id, error: { full: true, message: "late" } });
          committer.receive({ type: "committed", id: 1_000_000, outcome });
        }
        const outcomes = await Promise.all(asked);
        expect(outcomes.map((outcome) => outcome.committed)).toEqual(
          outcomes.map((_, index) => index % 2 === 0),
        );
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  test("a full disk and an unreachable store keep their class and their line", async () => {
    const { sent, committer } = channel();
    const full = reasonOf(committer.commit(commit("a")));
    const away = reasonOf(committer.commit(commit("b")));
    const [first, second] = sent;
    committer.receive({
      type: "committed",
      id: first!.id,
      error: { full: true, message: "no space" },
    });
    committer.receive({
      type: "committed",
      id: second!.id,
      error: { full: false, message: "no store" },
    });
    expect(await full).toEqual(new MetadataFull("no space"));
    expect(await full).toBeInstanceOf(MetadataFull);
    expect(await away).toEqual(new MetadataUnavailable("no store"));
    expect(await away).toBeInstanceOf(MetadataUnavailable);
  });

  test("a channel that closes rejects who waits as unknown, and whoever comes later", async () => {
    const { sent, committer } = channel();
    const waiting = [
      reasonOf(committer.commit(commit("a"))),
      reasonOf(committer.commit(commit("b"))),
    ];
    committer.close();
    for (const reason of await Promise.all(waiting)) {
      expect(reason).toBeInstanceOf(MetadataUnavailable);
      expect(String(reason)).toContain("outcome unknown");
    }
    expect(await reasonOf(committer.commit(commit("c")))).toBeInstanceOf(MetadataUnavailable);
    expect(sent).toHaveLength(2);
  });

  test("so many wait at most; a reply makes room again", async () => {
    const { sent, committer } = channel();
    const waiting: Promise<unknown>[] = [];
    for (let index = 0; index < 10_000; index += 1) {
      waiting.push(reasonOf(committer.commit(commit("a"))));
    }
    expect(await reasonOf(committer.commit(commit("b")))).toBeInstanceOf(MetadataUnavailable);
    expect(sent).toHaveLength(10_000);
    committer.receive({ type: "committed", id: sent[0]!.id, outcome: committed });
    expect(await waiting[0]).toEqual({ value: committed });
    const next = committer.commit(commit("c"));
    committer.receive({ type: "committed", id: sent.at(-1)!.id, outcome: committed });
    expect(await next).toEqual(committed);
    committer.close();
    await Promise.all(waiting);
  });
});

describe("the primary's end", () => {
  const request: CommitRequest = { type: "commit", id: 7, commit: commit("a") };
  const answering = (work: () => Promise<CommitOutcome>): Promise<CommitReply> => {
    const committer: Committer = { commit: work };
    return answerCommit(committer, request);
  };

  test("replies with the outcome", async () => {
    expect(await answering(async () => committed)).toEqual({
      type: "committed",
      id: 7,
      outcome: committed,
    });
  });

  const errors: readonly [Error | string, { full: boolean; message: string }][] = [
    [new MetadataFull("no space"), { full: true, message: "no space" }],
    [new MetadataUnavailable("no store"), { full: false, message: "no store" }],
    [new TypeError("a mistake"), { full: false, message: "a mistake" }],
    ["text", { full: false, message: "text" }],
  ];
  for (const [thrown, error] of errors) {
    test(`replies that it failed: ${thrown}`, async () => {
      const reply = await answering(() => Promise.reject(thrown));
      expect(reply).toEqual({ type: "committed", id: 7, error });
    });
  }

  test("a request and its reply survive the copy that a message is", async () => {
    const outcome: CommitOutcome = {
      committed: false,
      failed: [
        {
          precondition: { kind: "tag-is", tag: "v1", digests: [null] },
          found: null,
        },
      ],
    };
    const seen: AnyCommit[] = [];
    const committer: Committer = {
      commit: async (commit) => {
        seen.push(commit);
        return outcome;
      },
    };
    const worker = new ChannelCommitter((sent) => {
      void answerCommit(committer, structuredClone(sent)).then((reply) =>
        worker.receive(structuredClone(reply)),
      );
    });
    expect(await worker.commit(request.commit)).toEqual(outcome);
    expect(seen).toEqual([request.commit]);
  });
});
