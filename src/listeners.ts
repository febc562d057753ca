/**
 * Opens what a worker listens with, and follows the files of its certificate: from the configuration to the listeners
 * of `http`, with their news in the log.
 */
import type { Config } from "./config/schema.ts";
import { listen, type Listener, type ListenLimits, type ListenOptions } from "./http/listen.ts";
import { listenMutualTls, type RefusedHandshake } from "./http/listen_mutual_tls.ts";
import { listenProblem } from "./http/listen_problem.ts";
import { TlsFiles } from "./http/tls_files.ts";
import type { TlsMaterial } from "./http/tls_material.ts";
import { assert } from "./lib/assert.ts";
import { systemClock } from "./lib/clock.ts";
import type { Log } from "./lib/log.ts";

const clock = systemClock;
export const keptCertificate =
  "http.tls: the new files are not taken; the certificate in force stays";

export interface ListenerSetup {
  readonly config: Config;
  readonly log: Log;
  readonly port: number;
  readonly sharePort: boolean;
  readonly tls?: TlsMaterial | null;
}

function logFull(log: Log, full: boolean): void {
  if (full) log.warn("connections: as many as there may be; new ones wait");
  else log.info("connections: there is room again");
}

/** Listens as the configuration says. @throws with one line for the operator. */
export function openListener(
  { config, log, port, sharePort, tls = null }: ListenerSetup,
  settings: ListenLimits & Pick<ListenOptions, "dispatch" | "insteadOf">,
): Listener {
  const isConfigured = config.http.tls.cert !== null;
  assert((tls !== null) === isConfigured, "TLS is served where it is configured");
  const options = {
    ...settings,
    address: config.http.address,
    port,
    sharePort,
    handsOver: config.storage.shared,
    onFailure: (error: unknown) =>
      log.error({ error: String(error) }, "a request failed below HTTP"),
    onFull: (full: boolean) => logFull(log, full),
  };
  const onRefused = ({ address, problem }: RefusedHandshake): void =>
    log.info({ client: address, problem }, "http.tls: a handshake failed");
  try {
    return tls === null || tls.ca === null
      ? listen({ ...options, tls })
      : listenMutualTls({ ...options, tls, onRefused });
  } catch (cause) {
    throw new Error(listenProblem(cause, { address: options.address, port }), { cause });
  }
}

/**
 * Reads the files of `http.tls`, and follows them: `onChange` hears of every new set that fits together.
 * Null without TLS. @throws with one line for the operator when they do not fit together now.
 */
export async function openTls(
  { http: { tls } }: Config,
  log: Log,
  onChange: (material: TlsMaterial) => void,
): Promise<TlsFiles | null> {
  if (tls.cert === null || tls.key === null) return null;
  const files = await TlsFiles.open({
    paths: { cert: tls.cert, key: tls.key, cacert: tls.cacert },
    clock,
    onWarning: (warning) => log.warn(warning),
    onProblem: (problem) => log.error({ problem }, keptCertificate),
    onChange: (material) => {
      const { fingerprint, expiresAtMs } = material;
      const expires = new Date(expiresAtMs).toISOString();
      log.info({ fingerprint, expires }, "http.tls: a new certificate is in force");
      onChange(material);
    },
  });
  files.follow();
  return files;
}
