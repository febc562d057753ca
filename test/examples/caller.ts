// A caller of a server under test: requests as a user, over TLS or not, and whole pushes.
//
// It answers with the status and the text, and follows no redirect.

import { createHash } from "node:crypto";
import { basic } from "../auth/world.ts";

export interface CallerOptions {
  /** Name of a user of the htpasswd file. */
  readonly user?: string;
  /** In place of a user: a Bearer token. */
  readonly token?: string;
  /** In place of a user: the whole header. */
  readonly authorization?: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class Caller {
  readonly #url: string;
  readonly #options: CallerOptions;

  constructor(url: string, options: CallerOptions = {}) {
    this.#url = url;
    this.#options = options;
  }

  async ask(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const { tls } = this.#options;
    const headers = new Headers(init.headers);
    const login = this.#login();
    if (login !== null) headers.set("authorization", login);
    const response = await fetch(`${this.#url}${path}`, {
      ...init,
      method,
      headers,
      redirect: "manual",
      keepalive: false,
      ...(tls === undefined ? {} : { tls }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  async get(path: string): Promise<number> {
    return (await this.ask("GET", path)).status;
  }

  /** Pushes a manifest whose content is its `says`; the first API error, or the answer to the manifest. */
  async pushed(repository: string, tag: string, says = "hello"): Promise<Answer> {
    const config = Buffer.from("{}");
    const digest = digestOf(config);
    const blob = await this.ask("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      body: config,
    });
    if (blob.status !== 201) return blob;
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest, size: config.length },
      layers: [],
      artifactType: "application/vnd.example",
      annotations: { says },
    };
    return await this.ask("PUT", `/v2/${repository}/manifests/${tag}`, {
      headers: { "content-type": mediaType },
      body: JSON.stringify(manifest),
    });
  }

  /** The status of `pushed`. */
  async push(repository: string, tag: string, says?: string): Promise<number> {
    return (await this.pushed(repository, tag, says)).status;
  }

  #login(): string | null {
    const { user, token, authorization } = this.#options;
    if (user !== undefined) return basic(user);
    if (token !== undefined) return `Bearer ${token}`;
    return authorization ?? null;
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
