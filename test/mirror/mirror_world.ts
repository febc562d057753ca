// A mirror in this process, in memory unless a directory is given, in front of upstreams that do what a test tells them.

import { createRegistry, type Extension, type RegistryOptions } from "../../src/create_registry.ts";
import { FetchTicks } from "../../src/extensions/sync/pull_through/fetch_ticks.ts";
import type { Mirror, MirrorNames } from "../../src/extensions/sync/pull_through/mirror.ts";
import { PullThrough } from "../../src/extensions/sync/pull_through/pull_through.ts";
import {
  upstreamLimits,
  type UpstreamLimits,
} from "../../src/extensions/sync/upstream/registry_upstream.ts";
import type { Upstream } from "../../src/extensions/sync/upstream/upstream.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Commit, Metadata } from "../../src/metadata/metadata.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { openUpstream } from "./open_upstream.ts";
import { ScriptedUpstream } from "./scripted_upstream.ts";

export interface MirrorWorldOptions {
  /** Upstream hosts; each is mirrored below its own name, and the first one at the root, too. */
  readonly hosts?: readonly string[];
  /** All upstreams below this one in place of their own names, such as `all/`. */
  readonly folder?: string;
  readonly mirror?: Partial<Mirror>;
  readonly registry?: RegistryOptions;
  readonly config?: Record<string, object>;
  /** Of the mirror. */
  readonly clock?: Clock;
  /** Of what asks the upstreams. */
  readonly upstreamClock?: Clock;
  readonly limits?: Partial<UpstreamLimits>;
  readonly freePartMin?: number;
  /** Awaited before each commit of the mirror. */
  readonly beforeCommit?: (commit: Commit) => Promise<void>;
}

/** What was counted. */
export interface Counted {
  readonly pulled: string[];
  readonly mismatches: string[];
  readonly stale: (number | null)[];
  /** Downloads that run now. */
  fetching: number;
}

export interface MirrorWorld extends AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly upstreams: readonly ScriptedUpstream[];
  readonly url: string;
  readonly counted: Counted;
  /** Lines of the log. */
  readonly log: string[];
  get(path: string, init?: RequestInit): Promise<Response>;
  head(path: string): Promise<Response>;
  /** Body of a pull, whole; throws where it breaks. */
  bytes(path: string, init?: RequestInit): Promise<Uint8Array>;
}

const defaults: Omit<Mirror, "upstream" | "hosts"> = {
  manifestCheckMs: 0,
  serveStale: true,
  mergesTags: true,
  allowsPush: false,
  onDenied: "serve",
  onClientGone: "finish",
  propagatesDeletes: false,
  onlySigned: false,
  takesCosignTags: true,
  relaysUnknownBlobs: false,
};

export async function mirrorWorld(options: MirrorWorldOptions = {}): Promise<MirrorWorld> {
  const hosts = options.hosts ?? ["docker.io"];
  const upstreams = await Promise.all(hosts.map(() => ScriptedUpstream.start()));
  const opened = hosts.map((host, at) => open(host, upstreams[at]!, options));
  const counted: Counted = { pulled: [], mismatches: [], stale: [], fetching: 0 };
  const names = namesOf(hosts, opened, options);
  const log: string[] = [];
  const registry = await createRegistry({
    memory: true,
    config: options.config ?? {},
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...options.registry,
    extensions: [extensionOf(names, counted, options)],
    log: (line) => void log.push(line),
  } as RegistryOptions);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    development: false,
    fetch: (request) => registry.fetch(request),
    error: () => new Response(null, { status: 500 }),
  });
  const url = server.url.origin;
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${url}/v2/${path}`, init);
  return {
    upstream: upstreams[0]!,
    upstreams,
    url,
    counted,
    log,
    get,
    head: (path) => get(path, { method: "HEAD" }),
    bytes: async (path, init) => new Uint8Array(await (await get(path, init)).arrayBuffer()),
    [Symbol.asyncDispose]: async () => {
      for (const each of upstreams) each.cutAll();
      await server.stop(true);
      await registry.close();
      for (const each of opened) each.close();
      for (const each of upstreams) await each[Symbol.asyncDispose]();
    },
  };
}

function open(
  host: string,
  { url }: ScriptedUpstream,
  { limits, upstreamClock }: MirrorWorldOptions,
): Upstream {
  return openUpstream({
    url,
    host,
    limits: { ...upstreamLimits, ...limits },
    ...(upstreamClock === undefined ? {} : { clock: upstreamClock }),
  });
}

function namesOf(
  hosts: readonly string[],
  upstreams: readonly Upstream[],
  { mirror: changes = {}, folder }: MirrorWorldOptions,
): MirrorNames {
  const all = hosts.map((host, at) => ({
    prefix: folder ?? `${host}/`,
    host,
    mirror: { ...defaults, hosts: [host], ...changes, upstream: upstreams[at]! },
  }));
  return {
    localName: (namespace, name) => {
      const found = all.find(({ host }) => host === namespace);
      return found === undefined ? null : { repository: found.prefix + name, host: found.host };
    },
    canonical: (name) => name,
    atRoot: (name) => `${hosts[0]}/${name}`,
    upstreamsOf: (name) =>
      all
        .filter(({ prefix }) => name.startsWith(prefix))
        .map(({ prefix, mirror }) => ({ mirror, name: name.slice(prefix.length) })),
  };
}

/** The metadata, with something to do before each commit. */
function committing(metadata: Metadata, before: (commit: Commit) => Promise<void>): Metadata {
  return new Proxy(metadata, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      if (key !== "commit") return call;
      return async (commit: Commit) => {
        await before(commit);
        return call(commit);
      };
    },
  });
}

function extensionOf(
  names: MirrorNames,
  counted: Counted,
  { freePartMin = 0, beforeCommit }: MirrorWorldOptions,
): Extension {
  const bad = new Set<string>();
  return {
    name: "mirror-under-test",
    openWorker: () => ({
      origin: (registry, { uploads }) =>
        new PullThrough({
          registry:
            beforeCommit === undefined
              ? registry
              : { ...registry, metadata: committing(registry.metadata, beforeCommit) },
          uploads,
          names,
          ticks: new FetchTicks(),
          settings: { freePartMin },
          watch: {
            pulled: (host, kind, cache) => void counted.pulled.push(`${host} ${kind} ${cache}`),
            blobHit: () => undefined,
            fetching: (_host, change) => {
              counted.fetching += change;
            },
            stale: (_host, ageMs) => void counted.stale.push(ageMs),
            received: () => undefined,
            mismatch: (host, digest) => {
              bad.add(`${host} ${digest}`);
              counted.mismatches.push(digest);
            },
            isBad: (host, digest) => bad.has(`${host} ${digest}`),
          },
        }),
    }),
  };
}

export function sha256(bytes: Uint8Array): string {
  return digestOf("sha256", bytes);
}
