// An upstream as the mirror sees it, before a scripted one.

import { systemClock } from "../../src/lib/clock.ts";
import { type GateLimits, UpstreamGates } from "../../src/extensions/sync/upstream/gate.ts";
import {
  RegistryUpstream,
  type RegistryUpstreamOptions,
  upstreamLimits,
} from "../../src/extensions/sync/upstream/registry_upstream.ts";
import { type TroubleKind, UpstreamTrouble } from "../../src/extensions/sync/upstream/trouble.ts";

export const gateLimits: GateLimits = {
  requestsMax: 32,
  blobsMax: 16,
  requestsPerSecond: 0,
  bytesPerSecond: 0,
  queueMax: 256,
};

export interface OpenOptions extends Partial<Omit<RegistryUpstreamOptions, "gate">> {
  readonly url: string;
  readonly gates?: UpstreamGates;
  readonly gateLimits?: Partial<GateLimits>;
}

/** Without logins, with every address open, unless a test says otherwise. */
export function openUpstream(options: OpenOptions): RegistryUpstream {
  const { clock = systemClock, host = "upstream.test" } = options;
  const gates = options.gates ?? new UpstreamGates(null, 1, clock);
  return RegistryUpstream.open({
    credentials: { kind: "anonymous" },
    tls: {},
    limits: upstreamLimits,
    userAgent: "zot/test",
    ...options,
    host,
    clock,
    gate: gates.of(host, { ...gateLimits, ...options.gateLimits }),
  });
}

/** The trouble that some work ends in. */
export async function troubleOf(work: Promise<unknown>): Promise<UpstreamTrouble> {
  const error: unknown = await work.then(
    (value) => new Error(`expected trouble, got ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof UpstreamTrouble) return error;
  throw error;
}

export async function kindOf(work: Promise<unknown>): Promise<TroubleKind> {
  return (await troubleOf(work)).kind;
}

/** All bytes of a download. */
export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}
