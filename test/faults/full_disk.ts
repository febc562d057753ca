// A server on a small disk that becomes full in the middle of pushes.
//
// The tests' own files are elsewhere. The test fills the disk to the last page and frees it, so that every run meets
// the full disk at the same places.

import { eventually } from "../processes.ts";
import { checkRoot } from "./check_root.ts";
import { Journal, manifestType, sha256 } from "./journal.ts";
import { type PlantedBug, startFaultServer } from "./server_process.ts";
import { smallDisk } from "./small_disk.ts";

const mebibyte = 1024 * 1024;
const repository = "full/disk";

export interface FullDiskOptions {
  /** Bytes that are left when the push comes: each value meets the full disk somewhere else. */
  readonly leaveBytes: readonly number[];
  readonly planted?: PlantedBug;
}

/** Pushes into disks with so much space, then frees them; everything that was not as it should be. */
export async function fillDisk({ leaveBytes, planted }: FullDiskOptions): Promise<string[]> {
  await using disk = await smallDisk(24 * mebibyte);
  const root = `${disk.path}/root`;
  const journal = new Journal();
  const problems: string[] = [];
  await using server = await startFaultServer(root, planted ?? null);
  const push = new Push(server.url, journal);
  const first = await push.image("before", 10_000);
  if (first.status !== 201) throw new Error(`the first push was answered ${first.status}`);
  for (const [index, bytes] of leaveBytes.entries()) {
    disk.fill(bytes);
    const outcomes = [
      await push.image(`t${index}`, 3 * mebibyte),
      await push.chunked(`t${index}`, 3 * mebibyte),
      ...(await push.manifests(index, 60)),
    ];
    for (const { what, status, text } of outcomes) {
      const clear = status === 201 || (status === 507 && text.includes("No space left"));
      if (!clear) problems.push(`${bytes} bytes left: ${what} was answered ${status} ${text}`);
    }
    if (!outcomes.some(({ status }) => status === 507)) {
      problems.push(`${bytes} bytes left: nothing met the full disk`);
    }
    const full = await journal.check(server.url);
    problems.push(...full.map((problem) => `${bytes} bytes left: ${problem}`));
    disk.free();
    const after = await push.image(`t${index}`, mebibyte);
    if (after.status !== 201) {
      problems.push(`with space again: ${after.what} was answered ${after.status} ${after.text}`);
    }
    problems.push(...(await push.finishOpen()));
  }
  problems.push(...(await journal.check(server.url)));
  await server.kill();
  problems.push(...checkRoot(root).violations);
  await using again = await startFaultServer(root);
  problems.push(...(await journal.check(again.url)));
  if (problems.length > 0) return problems;
  const behind = await indexListsAll(root, journal).catch(String);
  return behind === undefined ? [] : [behind];
}

/** Soon after a start index.json lists every tag that was acknowledged. */
async function indexListsAll(root: string, journal: Journal): Promise<void> {
  await eventually("index.json is exact again", () => {
    const { layouts, violations } = checkRoot(root);
    if (violations.length > 0) return false;
    const lines = layouts.flatMap((layout) => layout.lines);
    return journal
      .tagsOf(repository)
      .every(({ tag, possible }) =>
        possible.some((digest) =>
          digest === null
            ? !lines.some((line) => line.startsWith(`${tag} `))
            : lines.includes(`${tag} ${digest}`),
        ),
      );
  });
}

interface Outcome {
  readonly what: string;
  readonly status: number;
  readonly text: string;
}

/** An upload that met the full disk, and what is left to send of it. */
interface Open {
  readonly location: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

class Push {
  readonly #url: string;
  readonly #journal: Journal;
  #count = 0;
  #open: Open[] = [];

  constructor(url: string, journal: Journal) {
    this.#url = url;
    this.#journal = journal;
  }

  /** A layer in one request and its manifest; stops at the first that is not acknowledged. */
  async image(tag: string, layerBytes: number): Promise<Outcome> {
    const layer = this.#bytes(layerBytes);
    const pushed = await this.#blob(layer);
    if (pushed.status !== 201) return pushed;
    return this.#manifest(tag, [layer]);
  }

  /** An upload in chunks, which the full disk may cut off in the middle; it is finished later. */
  async chunked(tag: string, blobBytes: number): Promise<Outcome> {
    const bytes = this.#bytes(blobBytes);
    const started = await this.#send("POST", `/v2/${repository}/blobs/uploads/`);
    if (started.status !== 202) return { ...started, what: "opening an upload" };
    let { location } = started;
    const chunkBytes = 700_000;
    for (let from = 0; from < bytes.length; from += chunkBytes) {
      const chunk = bytes.subarray(from, from + chunkBytes);
      const sent = await this.#send("PATCH", location, chunk);
      if (sent.status === 202) {
        ({ location } = sent);
        continue;
      }
      this.#open.push({ location, bytes });
      return { ...sent, what: `a chunk at ${from} of ${tag}` };
    }
    return this.#close(location, bytes);
  }

  /** Small manifests one after the other, with and without tags, until one is refused. */
  async manifests(round: number, count: number): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let index = 0; index < count; index += 1) {
      const outcome = await this.#manifest(`m${round}-${index % 7}`, []);
      outcomes.push(outcome);
      if (outcome.status !== 201) break;
    }
    return outcomes;
  }

  /** Uploads that met the full disk go on where their status says that they stand. */
  async finishOpen(): Promise<string[]> {
    const problems: string[] = [];
    for (const { location, bytes } of this.#open.splice(0)) {
      const status = await fetch(`${this.#url}${location}`);
      await status.arrayBuffer();
      if (status.status === 404) continue; // Dropped as a whole, which is as good.
      const [, last = "0"] = (status.headers.get("range") ?? "").split("-");
      const held = last === "0" ? 0 : Number(last) + 1;
      const sent = await this.#send("PATCH", location, bytes.subarray(held));
      const closed = sent.status === 202 ? await this.#close(sent.location, bytes) : sent;
      if (closed.status !== 201) {
        problems.push(
          `an upload of ${held} bytes could not go on: ${closed.status} ${closed.text}`,
        );
      }
    }
    return problems;
  }

  async #close(location: string, bytes: Uint8Array): Promise<Outcome> {
    const digest = sha256(bytes);
    const closed = await this.#send("PUT", `${location}?digest=${digest}`);
    if (closed.status === 201) this.#journal.stored(repository, "blobs", digest, bytes);
    else this.#open.push({ location, bytes: new Uint8Array(bytes) });
    return { ...closed, what: "the end of an upload" };
  }

  async #blob(bytes: Uint8Array<ArrayBuffer>): Promise<Outcome> {
    const digest = sha256(bytes);
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    const pushed = await this.#send("POST", path, bytes);
    if (pushed.status === 201) this.#journal.stored(repository, "blobs", digest, bytes);
    return { ...pushed, what: `a blob of ${bytes.length} bytes` };
  }

  async #manifest(tag: string, layers: readonly Uint8Array[]): Promise<Outcome> {
    this.#count += 1;
    const describe = (bytes: Uint8Array, mediaType: string) => ({
      mediaType,
      digest: sha256(bytes),
      size: bytes.length,
    });
    const config = new Uint8Array(Buffer.from("{}"));
    const known = this.#journal.required(repository, "blobs");
    if (!known.some(({ digest }) => digest === sha256(config))) {
      const pushed = await this.#blob(config);
      if (pushed.status !== 201) return pushed;
    }
    const bytes = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: describe(config, "application/vnd.oci.image.config.v1+json"),
        layers: layers.map((layer) => describe(layer, "application/vnd.oci.image.layer.v1.tar")),
        annotations: { count: String(this.#count) },
      }),
    );
    const digest = sha256(bytes);
    this.#journal.moving(repository, tag, digest);
    const path = `/v2/${repository}/manifests/${tag}`;
    const pushed = await this.#send("PUT", path, bytes, { "content-type": manifestType });
    if (pushed.status === 201) {
      this.#journal.stored(repository, "manifests", digest, bytes);
      this.#journal.moved(repository, tag);
    }
    return { ...pushed, what: `manifest ${this.#count}` };
  }

  #bytes(length: number): Uint8Array<ArrayBuffer> {
    this.#count += 1;
    return new Uint8Array(Buffer.alloc(length, `bytes ${this.#count} `));
  }

  async #send(
    method: string,
    path: string,
    body?: Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Outcome & { readonly location: string }> {
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const answer = await fetch(`${this.#url}${path}`, init);
    const text = await answer.text();
    const location = answer.headers.get("location") ?? "";
    return { what: `${method} ${path}`, status: answer.status, text, location };
  }
}
