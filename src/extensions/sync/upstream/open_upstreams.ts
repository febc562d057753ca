/** Opens the upstreams of an entry: its URLs in order, each with its login, its way, its gate and its limits. */
import { dockerLoginFiles } from "../../../client/docker_files.ts";
import { parseRegistryUrl, type Origin } from "../../../client/registry_url.ts";
import type { Route } from "../../../client/route.ts";
import type { TlsOptions } from "../../../client/connection.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Report } from "../../../registry/registry.ts";
import { apiUrlOf } from "../hosts.ts";
import type { NamedEntry } from "../names.ts";
import type { SyncValues } from "../options.ts";
import { openLoginFile, type LoginFile } from "./credentials/login_file.ts";
import { loginSource } from "./credentials/login_source.ts";
import { egressRoute } from "./egress.ts";
import type { GateLimits, UpstreamGates } from "./gate.ts";
import type { OwnPlace } from "./own_address.ts";
import type { Environment } from "./proxies.ts";
import { RegistryUpstream, upstreamLimits } from "./registry_upstream.ts";
import { readTls } from "./tls_material.ts";
import type { Upstream } from "./upstream.ts";

/** Downloads and requests at once where `reqConcurrent` says nothing. */
const requestsMaxDefault = 32;
const blobsMaxDefault = 16;

export interface UpstreamsParts {
  readonly sync: SyncValues;
  readonly clock: Clock;
  readonly report: Report;
  readonly env: Environment;
  /** Those of this process, which know what runs. */
  readonly gates: UpstreamGates;
  /** Where this server listens; null where nobody knows. */
  readonly own: OwnPlace | null;
  readonly userAgent: string;
  /** Hears of every answer of an upstream. */
  readonly onAnswer?: (host: string, method: string, status: number | null, ms: number) => void;
}

export class Upstreams {
  readonly #parts: UpstreamsParts;
  readonly #logins: LoginFile | null;
  readonly #opened = new Map<NamedEntry, readonly Upstream[]>();

  /** @throws with one line for what cannot be read. */
  constructor(parts: UpstreamsParts) {
    this.#parts = parts;
    const { sync, clock, report } = parts;
    this.#logins =
      sync.credentialsFile === null
        ? null
        : openLoginFile(sync.credentialsFile, {
            clock,
            report: (problem) => {
              if (problem === null) report("info", "logins for upstreams were read again");
              else report("error", "the file of logins for upstreams cannot be used", { problem });
            },
          });
  }

  /** All that were opened. */
  get opened(): readonly Upstream[] {
    return [...this.#opened.values()].flat();
  }

  /** The upstreams of an entry, in the order in which they are asked. @throws with one line for what cannot be read. */
  of(entry: NamedEntry): readonly Upstream[] {
    const known = this.#opened.get(entry);
    if (known !== undefined) return known;
    const { values } = entry;
    const tls = readTls({
      verify: values.tlsVerify,
      certDir: values.certDir,
      caFile: values.caFile,
    });
    const opened = values.urls.map((url, index) =>
      this.#open(url, entry.hosts[index] ?? url, { entry, tls }),
    );
    this.#opened.set(entry, opened);
    return opened;
  }

  /** Drops idle connections; what runs goes on. */
  close(): void {
    for (const upstream of this.opened) upstream.close();
  }

  #open(
    url: string,
    host: string,
    { entry, tls }: { readonly entry: NamedEntry; readonly tls: TlsOptions },
  ): Upstream {
    const { sync, clock, report, env, own, gates, userAgent, onAnswer } = this.#parts;
    const { values } = entry;
    const apiUrl = apiUrlOf(url);
    const routeTo = (upstream: Origin): Route =>
      egressRoute({
        upstream,
        allowRedirectHosts: values.allowRedirectHosts,
        proxy: values.proxy,
        env,
        tls,
        clock,
        own,
        onRefused: (named, reason) =>
          report("warn", "an upstream names an address that is not called", {
            upstream: host,
            named,
            reason,
          }),
      });
    return RegistryUpstream.open({
      host,
      url: apiUrl,
      credentials: loginSource(url, values, {
        clock,
        env,
        tls,
        routeTo,
        file: this.#logins,
        dockerFiles: dockerLoginFiles(env),
        report: (problem) =>
          report("error", "the password file of an upstream cannot be used", {
            upstream: host,
            problem,
          }),
      }),
      tls,
      route: routeTo(parseRegistryUrl(apiUrl).origin),
      gate: gates.of(host, gateLimits(values, sync)),
      clock,
      limits: {
        ...upstreamLimits,
        idleMs: values.responseHeaderTimeout,
        redirectsMax: sync.redirectsMax,
        manifestBytesMax: sync.manifestBytesMax,
      },
      userAgent,
      onAnswer: (method, status, ms) => onAnswer?.(host, method, status, ms),
    });
  }
}

function gateLimits(values: NamedEntry["values"], { queueMax }: SyncValues): GateLimits {
  return {
    requestsMax: values.reqConcurrent ?? requestsMaxDefault,
    blobsMax: values.reqConcurrent ?? blobsMaxDefault,
    requestsPerSecond: values.reqPerSec,
    bytesPerSecond: values.bytesPerSecond,
    queueMax,
  };
}
