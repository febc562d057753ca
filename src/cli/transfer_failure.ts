// What went wrong in a command that moves content or looks at it, as one line and an exit status; and what such commands
// share.

import packageJson from "../../package.json" with { type: "json" };
import type { Credentials } from "../client/client_auth.ts";
import { ClientError } from "../client/client_error.ts";
import { dockerLoginFiles } from "../client/docker_files.ts";
import { dockerLogin, DockerLoginError } from "../client/docker_login.ts";
import { RegistryClient } from "../client/registry_client.ts";
import { InspectError } from "../inspect/image_content.ts";
import { systemClock } from "../lib/clock.ts";
import { standardPath } from "../transfer/archive_output.ts";
import { TransferError } from "../transfer/image_place.ts";
import { attemptsMaxDefault, pauseMsDefault, type Retries } from "../transfer/retries.ts";
import { mistakeStatus, type Given, type Output } from "./command.ts";
import { onStopSignal } from "./on_stop_signal.ts";
import { credentialsOf, limitsOf, Mistake, tlsOf } from "./registry_flags.ts";
import { printable, ServerRefused } from "./server_given.ts";

export const userAgent = `zot/${packageJson.version}`;

/** Runs the work of a command until it ends or is told to stop. Returns the exit status. */
export async function runTransfer(
  command: string,
  output: Output,
  work: (retries: Retries) => Promise<number>,
  stoppedSays = "stopped; the next run goes on from what is there",
): Promise<number> {
  const stopped = new AbortController();
  const ignoreSignals = onStopSignal(() => stopped.abort());
  try {
    return await work({
      clock: systemClock,
      signal: stopped.signal,
      attemptsMax: attemptsMaxDefault,
      pauseMs: pauseMsDefault,
    });
  } catch (error) {
    if (stopped.signal.aborted) {
      output.error(`zot ${command}: ${stoppedSays}\n`);
      return 1;
    }
    const isKnown =
      error instanceof Mistake ||
      error instanceof TransferError ||
      error instanceof InspectError ||
      error instanceof ServerRefused ||
      error instanceof ClientError ||
      error instanceof DockerLoginError;
    if (!isKnown) throw error;
    output.error(`zot ${command}: ${printable(error.message)}\n`);
    return error instanceof Mistake ? mistakeStatus : 1;
  } finally {
    ignoreSignals();
  }
}

/** Where an archive goes to standard output, what is told goes to standard error. */
export function beside(archivePath: string | null, output: Output): Output {
  if (archivePath !== standardPath) return output;
  return { ...output, out: (words) => output.error(words), error: (words) => output.error(words) };
}

/** The login that the command line says, else the one that docker or podman keeps. */
export async function loginFor(
  said: Credentials,
  { server, repository }: { readonly server: string; readonly repository: string | null },
): Promise<Credentials> {
  if (said.kind !== "anonymous") return said;
  const host = server
    .replace(/^https?:\/\//i, "")
    .replace(/\/.*$/, "")
    .toLowerCase();
  const files = dockerLoginFiles(process.env);
  return (await dockerLogin({ host, repository }, { files })) ?? said;
}

/** The client of a command with one registry, which is its first argument. @throws Mistake. */
export async function clientFor(given: Given, server: string): Promise<RegistryClient> {
  return new RegistryClient({
    url: server,
    credentials: await loginFor(credentialsOf(given), { server, repository: null }),
    tls: await tlsOf(given),
    userAgent,
    ...limitsOf(given),
  });
}

/** Runs the work of a command that only looks. Returns the exit status. */
export function runLook(
  command: string,
  output: Output,
  work: (retries: Retries) => Promise<number>,
): Promise<number> {
  return runTransfer(command, output, work, "stopped");
}
