/**
 * Which proxy a request goes through: the one of an entry, else what the environment says (`HTTPS_PROXY`, `HTTP_PROXY`,
 * `NO_PROXY`, in capitals or small letters), as programs in Go read it.
 */
import { isIP } from "node:net";
import { basicAuthorization } from "../../../client/client_auth.ts";
import { ClientError } from "../../../client/client_error.ts";
import type { TlsOptions } from "../../../client/connection.ts";
import type { Origin } from "../../../client/registry_url.ts";
import type { Proxy } from "../../../client/route.ts";
import { NetworkSet } from "../../../lib/networks.ts";
import { addressKind } from "./address_kinds.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyRules {
  /** Of the entry: a URL, `none`, or null for the environment's. */
  readonly proxy: string | null;
  readonly env: Environment;
  /** How a proxy that speaks TLS itself is verified. */
  readonly tls: TlsOptions;
}

/** Null for the straight way. @throws ClientError for a proxy that is none. */
export function proxyFor(origin: Origin, { proxy, env, tls }: ProxyRules): Proxy | null {
  if (proxy === "none") return null;
  if (proxy !== null) return parseProxy(proxy, tls);
  const name = origin.tls ? "HTTPS_PROXY" : "HTTP_PROXY";
  const url = valueOf(env, name);
  if (url === "" || isLocalHost(origin.host)) return null;
  return isExempt(origin, valueOf(env, "NO_PROXY")) ? null : parseProxy(url, tls);
}

function valueOf(env: Environment, name: string): string {
  return (env[name] || env[name.toLowerCase()] || "").trim();
}

/** This machine is never asked for through a proxy. */
function isLocalHost(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && addressKind(host) === "local");
}

function parseProxy(text: string, tls: TlsOptions): Proxy {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.hostname === "") {
    // It may have a password.
    const detail = "expected a URL with http or https, such as http://proxy.example.com:3128";
    throw new ClientError("proxy", "the proxy", { detail });
  }
  const { protocol, hostname, port, username, password } = parsed;
  const isTls = protocol === "https:";
  const login =
    username === "" && password === ""
      ? null
      : basicAuthorization(decodeURIComponent(username), decodeURIComponent(password));
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (isTls ? 443 : 80) : Number(port),
    tls: isTls ? tls : null,
    authorization: login,
  };
}

/** Whether `NO_PROXY` names a host: `*`, a name and what is below it, `.suffix`, an address, a network, each with a port at will. */
function isExempt(origin: Origin, noProxy: string): boolean {
  return noProxy
    .split(/[\s,]+/)
    .filter((each) => each !== "")
    .some((each) => isNamedBy(each.toLowerCase(), origin));
}

function isNamedBy(entry: string, { host, port }: Origin): boolean {
  if (entry === "*") return true;
  if (isIP(host) !== 0 && new NetworkSet([entry]).has(host)) return true;
  const [, name = "", wanted] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  if (name === "" || (wanted !== undefined && Number(wanted) !== port)) return false;
  const bare = name.replace(/^\[|\]$/g, "").replace(/^\*/, "");
  if (isIP(bare) !== 0) return bare === host;
  return bare.startsWith(".") ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
}
