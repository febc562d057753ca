/**
 * Carries commits from the worker processes to the primary, which has the writer, over any message channel (here: the
 * pipe between supervisor and worker).
 *
 * Each request is answered once, in any order. When the channel closes, every waiting commit is rejected as "outcome
 * unknown". At most `waitingMax` commits wait at a time.
 */
import { must } from "../lib/assert.ts";
import type { AnyCommit, CommitOutcome, Committer } from "./metadata.ts";
import { MetadataFull, MetadataUnavailable } from "./metadata.ts";

/** Commits of one worker that may wait for their answer. */
const waitingMax = 10_000;

export interface CommitRequest {
  readonly type: "commit";
  readonly id: number;
  readonly commit: AnyCommit;
}

export interface CommitReply {
  readonly type: "committed";
  readonly id: number;
  readonly outcome?: CommitOutcome;
  /** Set when the commit failed: the class of the error and its one line. */
  readonly error?: { readonly full: boolean; readonly message: string };
}

interface Waiting {
  resolve(outcome: CommitOutcome): void;
  reject(error: Error): void;
}

/** The worker's end. Feed it the replies; tell it when the channel is gone. */
export class ChannelCommitter implements Committer {
  readonly #send: (request: CommitRequest) => void;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #reachable = true;

  constructor(send: (request: CommitRequest) => void) {
    this.#send = send;
  }

  commit(commit: AnyCommit): Promise<CommitOutcome> {
    if (!this.#reachable || this.#waiting.size >= waitingMax) {
      return Promise.reject(new MetadataUnavailable("The metadata writer does not answer"));
    }
    const id = this.#nextId++;
    const answer = new Promise<CommitOutcome>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    this.#send({ type: "commit", id, commit });
    return answer;
  }

  receive(reply: CommitReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (reply.error === undefined) {
      waiting.resolve(must(reply.outcome, "a commit reply has an outcome or an error"));
      return;
    }
    const { full, message } = reply.error;
    waiting.reject(full ? new MetadataFull(message) : new MetadataUnavailable(message));
  }

  /** The other end is gone, or silent: what was sent may or may not have been committed, and nothing is sent. */
  close(): void {
    this.#reachable = false;
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new MetadataUnavailable("The metadata writer went away; outcome unknown"));
    }
    this.#waiting.clear();
  }

  /** The other end speaks again. */
  reopen(): void {
    this.#reachable = true;
  }
}

/** Gathers replies to one process: those of one transaction go as one message, since each message wakes the process. */
export class CommitReplies {
  readonly #send: (replies: readonly CommitReply[]) => void;
  #waiting: CommitReply[] = [];

  constructor(send: (replies: readonly CommitReply[]) => void) {
    this.#send = send;
  }

  add(reply: CommitReply): void {
    // Commits of one transaction are settled one after the other, before anything else runs.
    if (this.#waiting.push(reply) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const replies = this.#waiting;
    this.#waiting = [];
    this.#send(replies);
  }
}

/** The primary's end: answers one request. Never rejects. */
export async function answerCommit(
  committer: Committer,
  request: CommitRequest,
): Promise<CommitReply> {
  const { id } = request;
  try {
    return { type: "committed", id, outcome: await committer.commit(request.commit) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { type: "committed", id, error: { full: error instanceof MetadataFull, message } };
  }
}
