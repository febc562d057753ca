// Starts the load generator for one job and reads what it did; and the pushes that set a scenario up.

import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "../src/lib/bytes.ts";
import {
  blobParts,
  config,
  configBytes,
  makeBlob,
  makeManifest,
  manifestMediaType,
} from "./content.ts";
import type { Job, JobResult, UploadJob } from "./load/jobs.ts";
import { type Server, servers } from "./servers.ts";

/** Runs a job in a process of its own; rejects with what it printed when it fails. */
export async function runJob(job: Job): Promise<JobResult> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "load", "main.ts")], {
    stdin: new Blob([JSON.stringify(job)]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`The load generator failed: ${firstError(errors)}`);
  const result: JobResult = JSON.parse(output);
  return result;
}

/** The line of a stack trace that says what went wrong; the frames are in the generator's own code. */
function firstError(errors: string): string {
  return /^(?:\w*Error|error): .*/m.exec(errors)?.[0] ?? errors.trim();
}

/** A family of blobs that a scenario reads. */
export interface BlobFamily {
  readonly seed: string;
  readonly count: number;
  readonly bytes: number;
}

/** Brings blobs to a server, through its API where it has one; gives the paths to read them from. */
export async function placeBlobs(
  server: Server,
  repository: string,
  family: BlobFamily,
): Promise<string[]> {
  const blobs = Array.from({ length: family.count }, (_, index) =>
    makeBlob(family.seed, index, family.bytes),
  );
  if (server.name === "nginx") {
    const files = join(server.directory, "files");
    await mkdir(files, { recursive: true });
    for (const blob of blobs) {
      await using file = await open(join(files, servers.nginx.blobPath("", blob.digest)), "w");
      for (const part of blobParts(blob)) await file.write(part);
    }
  } else {
    await runJob(uploadJob(server, repository, family));
  }
  return blobs.map((blob) => servers[server.name].blobPath(repository, blob.digest));
}

/** The job that pushes a family of blobs: small ones by a few clients, big ones one after the other. */
export function uploadJob(server: Server, repository: string, family: BlobFamily): UploadJob {
  return {
    kind: "upload",
    way: "monolithic",
    port: server.port,
    tls: server.tls,
    repository,
    connections: family.bytes < MiB ? 4 : 1,
    first: 0,
    ...family,
  };
}

/** Pushes the config blob that the manifests of `repository` will name. */
export async function placeConfig(server: Server, repository: string): Promise<void> {
  const origin = `http://127.0.0.1:${server.port}`;
  const login = loginOf(server);
  const started = await fetch(`${origin}/v2/${repository}/blobs/uploads/`, {
    method: "POST",
    headers: login,
  });
  const session = new URL(started.headers.get("location") ?? "", origin);
  session.searchParams.set("digest", config.digest);
  const reply = await fetch(session, {
    method: "PUT",
    body: configBytes,
    headers: { ...login, "content-type": "application/octet-stream" },
  });
  if (reply.status === 201) return;
  throw new Error(`PUT of the config: status ${reply.status} ${await reply.text()}`);
}

/** Pushes one manifest by the tag `latest`; gives the path to read it from. */
export async function placeManifest(server: Server, repository: string): Promise<string> {
  await placeConfig(server, repository);
  const path = `/v2/${repository}/manifests/latest`;
  const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: "PUT",
    body: makeManifest("one", 0),
    headers: { ...loginOf(server), "content-type": manifestMediaType },
  });
  if (reply.status === 201) return path;
  throw new Error(`PUT of a manifest: status ${reply.status} ${await reply.text()}`);
}

function loginOf({ name }: Server): Record<string, string> {
  const { authorization } = servers[name];
  return authorization === undefined ? {} : { authorization };
}
