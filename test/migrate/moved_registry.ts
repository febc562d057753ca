// A registry with something of everything that is to move, and a look at all of it that another place can be compared by.

import { expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sample } from "../contracts/store_samples.ts";
import { packageDirectory, run, startZot, type Output, type Zot } from "../harness.ts";
import { manifestHeaders, manifestOf, sha256 } from "../objects/object_registry.ts";

export const program = join(packageDirectory, "bin/zot");

const config = new TextEncoder().encode(`{"os":"linux"}`);
const shared = sample(300_000);
/** Three parts of a store of objects. */
const large = sample(33 * 1024 * 1024);

/** Writes a configuration, and gives its name. */
export async function writeConfig(
  directory: string,
  name: string,
  storage: object,
): Promise<string> {
  const path = join(directory, `${name}.json`);
  const http = { address: "127.0.0.1", port: "0" };
  await writeFile(path, JSON.stringify({ storage, http }));
  return path;
}

export async function serve(storage: { readonly rootDirectory: string }): Promise<Zot> {
  const { rootDirectory, ...others } = storage;
  return startZot({ rootDirectory, config: { storage: others, http: { workers: 1 } } });
}

export function migrate(...args: string[]): Promise<Output> {
  return run(program, ["migrate", ...args]);
}

export async function pushBlob({ url }: Zot, repository: string, bytes: Uint8Array): Promise<void> {
  const target = `${url}/v2/${repository}/blobs/uploads/?digest=${sha256(bytes)}`;
  expect((await fetch(target, { method: "POST", body: bytes })).status).toBe(201);
}

export async function pushManifest(
  { url }: Zot,
  target: string,
  layers: readonly Uint8Array[],
): Promise<string> {
  const body = manifestOf(config, layers);
  const address = `${url}/v2/${target}`;
  const answer = await fetch(address, { method: "PUT", body, headers: manifestHeaders });
  expect(answer.status).toBe(201);
  return sha256(body);
}

/** Two repositories that share a layer; a tag that moved; one that was deleted, whose digest is given. */
export async function fill(zot: Zot): Promise<string> {
  for (const repository of ["team/app", "team/blobs/other"]) {
    for (const bytes of [config, shared]) await pushBlob(zot, repository, bytes);
  }
  await pushBlob(zot, "team/app", large);
  await pushManifest(zot, "team/app/manifests/1", [shared]);
  await pushManifest(zot, "team/app/manifests/1", [shared, large]);
  await pushManifest(zot, "team/app/manifests/gone", []);
  await pushManifest(zot, "team/blobs/other/manifests/x", [shared, shared]);
  const gone = `${zot.url}/v2/team/app/manifests/gone`;
  const digest = (await fetch(gone)).headers.get("docker-content-digest") ?? "";
  const address = `${zot.url}/v2/team/app/manifests/${digest}`;
  expect((await fetch(address, { method: "DELETE" })).status).toBe(202);
  return digest;
}

/** Pushes of a later day: a blob that is new, one that is there. */
export async function fillMore(zot: Zot): Promise<void> {
  const bytes = sample(70_000);
  await pushBlob(zot, "team/app", bytes);
  await pushManifest(zot, "team/app/manifests/2", [bytes, shared]);
}

/** All that a registry shows. */
export async function shown({ url }: Zot): Promise<object> {
  const json = async (target: string): Promise<unknown> => (await fetch(`${url}${target}`)).json();
  const { repositories } = (await json("/v2/_catalog")) as { repositories: string[] };
  const found: Record<string, unknown> = {};
  for (const repository of repositories) {
    const { tags } = (await json(`/v2/${repository}/tags/list`)) as { tags: string[] };
    const contents: Record<string, string> = {};
    for (const tag of tags) {
      const manifest = await fetch(`${url}/v2/${repository}/manifests/${tag}`);
      const bytes = new Uint8Array(await manifest.arrayBuffer());
      contents[tag] = sha256(bytes);
      const { layers } = JSON.parse(new TextDecoder().decode(bytes)) as {
        layers: { digest: string }[];
      };
      for (const { digest } of layers) {
        const blob = await fetch(`${url}/v2/${repository}/blobs/${digest}`);
        expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(digest);
      }
    }
    found[repository] = {
      contents,
      history: await json(`/v2/${repository}/_oci/tag-history/1`),
    };
  }
  return found;
}
