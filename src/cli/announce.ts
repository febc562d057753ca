/**
 * What a person who just started the registry wants to read: where it is, how to push to it, how to stop it.
 */
import { X509Certificate } from "node:crypto";
import { hasMethods, isLoopback } from "../auth/check_options.ts";
import type { Config } from "../config/schema.ts";
import { pushCommands, type PushPlace } from "../lib/push_commands.ts";
import { isEveryInterface, mirroredBy, outsideAddresses, urlAt } from "../server.ts";

/** More addresses than these only confuse. */
const addressesMax = 4;
const indent = "    ";

/** Where a listener is. */
export interface Whereabouts {
  /** For clients on this machine. */
  readonly url: string;
  /** For others, the best first: empty where only this machine reaches it. */
  readonly outsideUrls: readonly string[];
}

/** `url` is for this machine; `certificate` is the server's, in PEM, null without TLS. */
export function whereabouts(config: Config, url: string, certificate: string | null): Whereabouts {
  const { address, externalUrl } = config.http;
  const port = Number(portOf(url));
  const names = certificate === null ? [] : namesOf(certificate);
  const addresses = isEveryInterface(address)
    ? outsideAddresses(address).slice(0, addressesMax)
    : [];
  // A client that knows the server by another name than its certificate's refuses it.
  const hosts = names.length > 0 ? names.filter((name) => !isLoopback(name)) : addresses;
  const outside = isLoopback(address) ? [] : hosts.map((host) => urlAt(config, host, port));
  return { url, outsideUrls: [...(externalUrl === null ? [] : [externalUrl]), ...outside] };
}

/** The text, for a terminal. */
export function announcement(config: Config, { url, outsideUrls }: Whereabouts): string {
  const { http, storage } = config;
  const best = outsideUrls[0] ?? url;
  const where = isEveryInterface(http.address) ? `every interface, port ${portOf(url)}` : url;
  const { notes, commands } = pushCommands(placeOf(config, best));
  const reach = outsideUrls.length === 0 ? [] : ["", `  Reach it at:  ${outsideUrls.join("  ")}`];
  return [
    "",
    `  zot is serving ${where}, from ${storage.rootDirectory}`,
    ...reach,
    "",
    "  Push an image to it with what you have:",
    ...notes.map((note) => indent + note),
    ...commands.map(([, command]) => indent + command),
    "",
    ...mirrorLines(config, best),
    `  See what is there:  ${best}/ in a browser, or  curl ${best}/v2/_catalog`,
    "  Stop with Ctrl+C.",
    "",
    "",
  ].join("\n");
}

/** Upstreams that are named; further ones only fill the screen. */
const upstreamsShown = 6;

function mirrorLines(config: Config, url: string): readonly string[] {
  const hosts = mirroredBy(config).map(({ host }) => host);
  if (hosts.length === 0) return [];
  const more = hosts.length > upstreamsShown ? " and more" : "";
  return [
    `  Pull ${hosts.slice(0, upstreamsShown).join(", ")}${more} through it; what each client has to be told:`,
    `${indent}zot mirror --server ${url}`,
    "",
  ];
}

function placeOf({ http: { auth, tls } }: Config, url: string): PushPlace {
  const login = hasMethods(auth) ? "password" : tls.cacert === null ? "none" : "certificate";
  return { host: url.replace(/^https?:\/\//, ""), isTls: url.startsWith("https:"), login };
}

function portOf(url: string): string {
  return url.slice(url.lastIndexOf(":") + 1);
}

/** Names and addresses that the certificate is for, without those that stand for many. */
function namesOf(certificate: string): string[] {
  const names = new X509Certificate(certificate).subjectAltName?.split(", ") ?? [];
  const hosts = names.map((name) => /^(?:DNS|IP Address):([^*"]+)$/.exec(name)?.[1]);
  return hosts.filter((host) => host !== undefined).slice(0, addressesMax);
}
