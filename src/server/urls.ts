/** The URLs of a listener, for people and for clients. */
import type { Config } from "../config/schema.ts";
import { isEveryInterface } from "../http/listen_problem.ts";

/** For people and clients on this machine. */
export function urlOf(config: Config, port: number): string {
  const { address } = config.http;
  return urlAt(config, isEveryInterface(address) ? "127.0.0.1" : address, port);
}

/** As clients know it that reach it by this name or address. */
export function urlAt({ http: { tls } }: Config, host: string, port: number): string {
  const scheme = tls.cert === null ? "http" : "https";
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
