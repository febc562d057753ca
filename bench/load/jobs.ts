// The jobs that the load generator knows, as data: what the benchmark's table asks for and what comes back.
//
// A job crosses a process boundary as JSON, so that the generator's CPU time is its own and a scenario is a row.
// One file beside this one runs each job; the runner measures the server meanwhile.

import type { Descriptor } from "../content.ts";

/** Closed loop of GETs, or HEADs: each connection asks for the paths in turn, each from another start. */
export interface GetJob {
  readonly kind: "get";
  readonly port: number;
  /** Speak TLS, whoever signed the server's certificate. */
  readonly tls: boolean;
  readonly connections: number;
  readonly seconds: number;
  readonly paths: readonly string[];
  /** GET where it is absent. */
  readonly method?: "HEAD";
  /** Value of the Accept header; everything where it is absent. */
  readonly accept?: string;
  /** Value of the Authorization header of every request. */
  readonly authorization?: string;
}

/** Pushes blobs `first` to `first + count - 1` of the family `seed`. */
export interface UploadJob {
  readonly kind: "upload";
  readonly port: number;
  readonly tls: boolean;
  readonly connections: number;
  readonly repository: string;
  /** `monolithic`: POST, PUT with Content-Length. `streamed`: POST, chunked PATCH, PUT without a body. */
  readonly way: "monolithic" | "streamed";
  readonly seed: string;
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
}

/** Pushes manifests `first` to `first + count - 1` of the family `seed`, each by a tag of its own. */
export interface ManifestsJob {
  readonly kind: "manifests";
  readonly port: number;
  readonly connections: number;
  readonly repository: string;
  readonly seed: string;
  readonly first: number;
  readonly count: number;
  /** Where given, every manifest is a referrer of one of these, in turn, and is pushed by digest. */
  readonly subjects?: readonly Descriptor[];
}

/** Uploads while slow readers hold their connections: a reader takes one buffer of data every `pauseMs`. */
export interface CrowdJob {
  readonly kind: "crowd";
  readonly port: number;
  readonly readers: number;
  readonly readerPath: string;
  readonly pauseMs: number;
  readonly upload: UploadJob;
}

/** No server at all: reads a file of `bytes`, hashes it and writes it to another, `count` times. */
export interface CopyJob {
  readonly kind: "copy";
  readonly directory: string;
  readonly bytes: number;
  readonly count: number;
}

export type Job = GetJob | UploadJob | ManifestsJob | CrowdJob | CopyJob;

/** What a job did. */
export interface JobResult {
  /** Requests, blobs or manifests. */
  readonly operations: number;
  /** Bytes of bodies that crossed the connection, both ways. */
  readonly bytes: number;
  readonly seconds: number;
  /** CPU time of the generator itself while it worked. */
  readonly cpuSeconds: number;
}
