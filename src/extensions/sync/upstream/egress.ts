/**
 * Where requests to an upstream may go. The upstream itself is what the operator wrote, and may be anywhere. What it
 * names (redirects, token services) is not his choice: no TLS must not follow TLS, and no such address may lead into this
 * machine, to the metadata service of a cloud, or into a private network that the upstream itself is not in.
 *
 * A name is resolved once and the address that was checked is the one that is called, so that a name which changes
 * between the two gains nothing. Behind a proxy the proxy resolves names: it is the operator's own rule.
 */
import { isIP } from "node:net";
import { ClientError } from "../../../client/client_error.ts";
import { hostAndPort } from "../../../client/connection.ts";
import { formatHost, type Origin, sameOrigin } from "../../../client/registry_url.ts";
import type { Route, Way } from "../../../client/route.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Glob, matchesGlob, parseGlob } from "../../../lib/glob.ts";
import { addressKind } from "./address_kinds.ts";
import { isOwnPlace, resolveBySystem, type OwnPlace, type Resolve } from "./own_address.ts";
import { proxyFor, type ProxyRules } from "./proxies.ts";

export interface EgressOptions extends ProxyRules {
  readonly upstream: Origin;
  /** Globs of hosts, also with their port, that may lie in private networks and on this machine. */
  readonly allowRedirectHosts: readonly string[];
  readonly clock: Clock;
  /** Where this server itself listens: it is no upstream of its own. Null where nobody knows. */
  readonly own?: OwnPlace | null;
  readonly resolve?: Resolve;
  /** Hears of what was not called, at most once a minute for each host. */
  readonly onRefused?: (host: string, reason: string) => void;
}

/** How long it is believed which network the upstream is in. */
const upstreamLastsMs = 60_000;
const toldEachMs = 60_000;
/** Hosts that were told of. */
const toldMax = 100;

const reasons = {
  plain: "it is without TLS, and the upstream is not",
  forbidden: "it is link-local, reserved or the metadata service of a cloud",
  local: "it is this machine",
  private: "it is in a private network, and the upstream is not",
} as const;

export function egressRoute(options: EgressOptions): Route {
  const egress = new Egress(options);
  return (origin, isDerived) => egress.wayTo(origin, isDerived);
}

class Egress {
  readonly #options: EgressOptions;
  readonly #resolve: Resolve;
  readonly #allowed: readonly Glob[];
  readonly #toldMs = new Map<string, number>();
  readonly #self = new Map<string, { readonly isSelf: boolean; readonly atMs: number }>();
  #upstream: { readonly isInner: boolean; readonly atMs: number } | null = null;

  constructor(options: EgressOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveBySystem;
    this.#allowed = options.allowRedirectHosts.flatMap((text) => {
      const parsed = parseGlob(text.toLowerCase());
      return "glob" in parsed ? [parsed.glob] : [];
    });
  }

  async wayTo(origin: Origin, isDerived: boolean): Promise<Way> {
    const proxy = proxyFor(origin, this.#options);
    if (proxy === null && (await this.#isSelf(origin))) {
      throw new ClientError("itself", hostAndPort(origin));
    }
    if (!isDerived || sameOrigin(origin, this.#options.upstream)) {
      return proxy === null ? {} : { proxy };
    }
    if (this.#options.upstream.tls && !origin.tls) throw this.#refused(origin, "plain");
    const address = await this.#checked(origin, proxy !== null);
    if (proxy !== null) return { proxy };
    return address === null ? {} : { address };
  }

  /** The address to call; null where only the proxy knows the name. @throws ClientError */
  async #checked(origin: Origin, isProxied: boolean): Promise<string | null> {
    let addresses: readonly string[];
    try {
      addresses = isIP(origin.host) === 0 ? await this.#resolve(origin.host) : [origin.host];
    } catch (error) {
      if (isProxied) return null;
      throw new ClientError("unknownHost", hostAndPort(origin), { cause: error });
    }
    let reason: keyof typeof reasons = "forbidden";
    const isAllowed = this.#isAllowed(origin);
    for (const address of addresses) {
      const kind = addressKind(address);
      if (kind === "public") return address;
      if (kind !== "forbidden" && isAllowed) return address;
      if (kind === "private" && (await this.#isUpstreamInner())) return address;
      reason = kind;
    }
    throw this.#refused(origin, reason);
  }

  async #isSelf(origin: Origin): Promise<boolean> {
    const { own = null } = this.#options;
    if (origin.port !== own?.port) return false;
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#self.get(origin.host);
    if (known !== undefined && nowMs - known.atMs < upstreamLastsMs) return known.isSelf;
    const isSelf = await isOwnPlace(origin, own, this.#resolve);
    if (this.#self.size >= toldMax) this.#self.clear();
    this.#self.set(origin.host, { isSelf, atMs: nowMs });
    return isSelf;
  }

  #isAllowed(origin: Origin): boolean {
    const names = [origin.host, formatHost(origin), hostAndPort(origin)];
    return this.#allowed.some((glob) => names.some((name) => matchesGlob(glob, name)));
  }

  /** Whether the upstream itself is in a private network, or on this machine. */
  async #isUpstreamInner(): Promise<boolean> {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#upstream;
    if (known !== null && nowMs - known.atMs < upstreamLastsMs) return known.isInner;
    const { host } = this.#options.upstream;
    const addresses = isIP(host) === 0 ? await this.#resolve(host).catch(() => []) : [host];
    const isInner = addresses.some((address) => {
      const kind = addressKind(address);
      return kind === "private" || kind === "local";
    });
    this.#upstream = { isInner, atMs: nowMs };
    return isInner;
  }

  #refused(origin: Origin, reason: keyof typeof reasons): ClientError {
    const host = hostAndPort(origin);
    const nowMs = this.#options.clock.monotonicMs();
    const toldMs = this.#toldMs.get(host);
    if (toldMs === undefined || nowMs - toldMs >= toldEachMs) {
      if (this.#toldMs.size >= toldMax) this.#toldMs.clear();
      this.#toldMs.set(host, nowMs);
      this.#options.onRefused?.(host, reasons[reason]);
    }
    return new ClientError("egress", host, { detail: reasons[reason] });
  }
}
