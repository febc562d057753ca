/**
 * Upstreams by their names: how people, clients and configurations write one, and where its API is.
 */
import { formatHost, type Origin, parseRegistryUrl } from "../../client/registry_url.ts";

/** Docker Hub has many names; its API has one. */
const hub = "docker.io";
const hubApi = "https://registry-1.docker.io";
const hubAliases = new Set([
  hub,
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
  "www.docker.io",
]);

export function isHub(host: string): boolean {
  return host === hub;
}

/** The one spelling of a host, as in `ns=` or in an image's name: lower case, without a default port. Null for none. */
export function normaliseHost(text: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+?)\.?(?::(\d{1,5}))?$/.exec(text.toLowerCase());
  const [, name, port] = match ?? [];
  if (name === undefined) return null;
  if (hubAliases.has(name) && (port === undefined || port === "443")) return hub;
  return port === undefined || port === "443" ? name : `${name}:${Number(port)}`;
}

/** The host of a registry's URL, normalised. */
export function hostOfUrl(url: string): string {
  const { origin } = parseRegistryUrl(url);
  return normaliseHost(formatHost(origin)) ?? formatHost(origin);
}

/** Where the API of a registry is. */
export function apiUrlOf(url: string): string {
  return isHub(hostOfUrl(url)) ? hubApi : url;
}

/** The component of names here that stands for a registry: its host, the port behind an underscore. */
export function folderOf(host: string): string {
  return host
    .replaceAll(/[[\]]/g, "")
    .replaceAll(":", "_")
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .replaceAll(/__+/g, "-");
}

/** The keys under which logins for a registry are kept: as it is written, its host, and what Docker calls it. */
export function loginKeysOf(url: string): readonly string[] {
  const written = url.replace(/^https?:\/\//i, "").replace(/\/+$/, "");
  const host = hostOfUrl(url);
  const origin: Origin = parseRegistryUrl(url).origin;
  const keys = [written, `${origin.host}:${origin.port}`, formatHost(origin), host, url];
  if (isHub(host)) keys.push("https://index.docker.io/v1/", ...hubAliases);
  return [...new Set(keys)];
}
