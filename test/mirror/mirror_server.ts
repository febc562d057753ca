// A server of two workers that mirrors scripted upstreams, as a person starts it.

import { startZot, type Zot, type ZotOptions } from "../harness.ts";
import type { ScriptedUpstream } from "./scripted_upstream.ts";

export interface MirrorServer extends AsyncDisposable {
  readonly zot: Zot;
  /** Where what the first upstream has stands here. */
  readonly folder: string;
  get(path: string, init?: RequestInit): Promise<Response>;
}

/** The folder of an upstream that is mirrored by the shorthand. */
export function folderOf({ host }: ScriptedUpstream): string {
  return host.replace(":", "_");
}

/** `entry` makes an entry of `registries` of it, in place of the shorthand. */
export async function startMirror(
  upstream: ScriptedUpstream,
  options: ZotOptions & { readonly entry?: object; readonly sync?: object } = {},
): Promise<MirrorServer> {
  const { entry, sync, ...rest } = options;
  const folder = folderOf(upstream);
  const mirrored =
    entry === undefined
      ? { mirrors: [upstream.url] }
      : {
          registries: [
            {
              urls: [upstream.url],
              onDemand: true,
              content: [{ prefix: "**", destination: `/${folder}` }],
              ...entry,
            },
          ],
        };
  const zot = await startZot({
    ...rest,
    config: {
      http: { workers: 2 },
      ...rest.config,
      extensions: { sync: { ...mirrored, minFree: 0, ...sync } },
    },
  });
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${zot.url}/v2/${folder}/${path}`, { keepalive: false, ...init });
  return { zot, folder, get, [Symbol.asyncDispose]: () => zot[Symbol.asyncDispose]() };
}
