/**
 * What the primary and its process for heavy work say to each other: it says `hello`, is told the configuration and
 * what to run, sends commits and gets their replies, and says what came of each piece of work.
 */
import type { Config } from "../config/schema.ts";
import type { CommitReply, CommitRequest } from "../metadata/commit_channel.ts";

export type ToHeavy =
  | { readonly type: "init"; readonly config: Config }
  | { readonly type: "run"; readonly id: number; readonly work: string; readonly argument: unknown }
  | { readonly type: "abort"; readonly id: number }
  /** There is nothing to do any more: end. */
  | { readonly type: "end" }
  | CommitReply;

export type FromHeavy =
  | { readonly type: "hello" }
  | { readonly type: "done"; readonly id: number; readonly result: unknown }
  | { readonly type: "failed"; readonly id: number; readonly message: string }
  | CommitRequest;
