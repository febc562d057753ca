/**
 * The messages between a supervisor and its workers.
 *
 * A worker sends `hello`, gets its identity, and sends `listening` (or `failed`, and ends). It sends commits and gets
 * their replies, gets new certificates and configurations, reports logins and gets those of other workers, and is told
 * to leave or to stop. Once a second the supervisor sends a sign of life, and the worker answers it. They travel as JSON.
 */
import type { LoginNews } from "../auth/throttle.ts";
import type { Config } from "../config/schema.ts";
import type { TlsMaterial } from "../http/tls_material.ts";
import type { CommitReply, CommitRequest } from "../metadata/commit_channel.ts";
import type { Places } from "../server.ts";

/** How often workers are told that the primary is alive. */
export const beatMs = 1_000;

export type ToWorker =
  | {
      readonly type: "init";
      readonly config: Config;
      readonly index: number;
      /** 0 for the first worker when the kernel chooses. */
      readonly port: number;
      readonly reconciled: boolean;
      readonly tls: TlsMaterial | null;
      /** What its extensions are opened with. */
      readonly places: Places;
    }
  | { readonly type: "tls"; readonly tls: TlsMaterial }
  | { readonly type: "reconciled" }
  /** The primary is alive; `problem` is why it finds that requests should go elsewhere, or null. */
  | { readonly type: "alive"; readonly problem: string | null }
  | { readonly type: "login"; readonly news: LoginNews }
  /** Answer by this from now on, and say `configured`. */
  | { readonly type: "config"; readonly config: Config }
  /** Leave the port to the others, end what has begun, and end. */
  | { readonly type: "retire" }
  | { readonly type: "stop"; readonly graceMs: number }
  | { readonly type: "replies"; readonly replies: readonly CommitReply[] };

export type FromWorker =
  | { readonly type: "hello" }
  | { readonly type: "alive" }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "login"; readonly news: LoginNews }
  | { readonly type: "configured"; readonly problem: string | null }
  | CommitRequest;
