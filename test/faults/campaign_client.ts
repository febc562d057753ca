// One client of a campaign: pushes in one request and in many, mounts, moves, deletes and undoes, each request by way of
// a balancer, and asks another replica the moment something was acknowledged.
//
// Its work follows from the seed. A request that is cut off or answered 5xx is of unknown outcome: its names are nobody's
// any more. An upload whose request failed goes on where a replica says that it stands.

import type { CampaignJournal, Image, Kind } from "./campaign_journal.ts";
import { manifestType, sha256 } from "./journal.ts";

export interface ClientOptions {
  /** The balancer. */
  readonly url: string;
  /** Replicas, which are asked directly. */
  readonly replicas: readonly string[];
  readonly journal: CampaignJournal;
  readonly index: number;
  readonly random: (below: number) => number;
  /** Collection takes what nothing names for so long. */
  readonly gcDelayMs: number;
  readonly undoWindowMs: number;
  /** Counts what happened, by name. */
  readonly count: (name: string) => void;
}

/** The answer was not what the request was for; whether it took effect is unknown. */
export class Unanswered extends Error {}

const repositories = ["camp/r0", "camp/r1", "camp/r2"] as const;
const tagsOfEach = 4;
/** As balancers have it: one that stopped is not waited for without end. */
const requestMs = 15_000;
/** Of pushes, those whose blob is sent to the store in parts. */
const onePartedIn = 150;
const partedBytes = 17 * 1024 * 1024;
/** What every client pushes, in every repository. */
const shared = ["empty", "base", "tools"].map((name) => contentOf(`shared ${name}`, 3_000));

interface Made {
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
}

function contentOf(name: string, size: number): Made {
  const bytes = new Uint8Array(Buffer.alloc(size, `${name} `));
  return { digest: sha256(bytes), bytes, size };
}

export class CampaignClient {
  readonly #options: ClientOptions;
  #count = 0;
  #life = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** A request of unknown outcome may still take effect: its names are nobody's any more. */
  useOtherNames(): void {
    this.#life += 1;
  }

  async step(): Promise<void> {
    this.#count += 1;
    const chance = this.#options.random(100);
    if (chance < 50) return this.#pushImage();
    if (chance < 62) return this.#removeTag();
    if (chance < 71) {
      await this.#removeManifest();
      return;
    }
    if (chance < 79) return this.#undo();
    if (chance < 90) return this.#looseBlob();
    return this.#copyImage();
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#options.random(list.length)] as T;
  }

  #tag(): string {
    const { index, random } = this.#options;
    return `c${index}.${this.#life}-${random(tagsOfEach)}`;
  }

  #made(size: number): Made {
    const { index, random } = this.#options;
    return contentOf(`${index} ${this.#life} ${this.#count} ${random(1 << 30)}`, size);
  }

  async #pushImage(): Promise<void> {
    const { random } = this.#options;
    const repository = this.#pick(repositories);
    const startedMs = performance.now();
    const isParted = random(onePartedIn) === 0;
    const layers = [this.#made(isParted ? partedBytes : 1 + random(20_000)), this.#pick(shared)];
    const config = this.#made(300);
    for (const each of [...layers, config]) await this.#pushBlob(repository, each);
    await this.#pushManifest(repository, { config, layers, startedMs });
  }

  /** An image of one repository becomes one of another, without its bytes being sent. */
  async #copyImage(): Promise<void> {
    const [from, to] = [this.#pick(repositories), this.#pick(repositories)];
    const image = this.#options.journal.at(from, this.#tag());
    if (image === null || image === undefined || from === to) return this.#pushImage();
    const startedMs = performance.now();
    for (const { digest } of image.blobs) {
      const target = `/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`;
      const answer = await this.#send("POST", target, [201, 202]);
      if (answer.status === 202) {
        // It may be told to push: then it gives up.
        this.#options.count("mounts that were refused");
        const location = answer.headers.get("location") ?? "";
        await this.#send("DELETE", location, [204, 404]);
        return;
      }
      this.#options.journal.acknowledge();
      await this.#mustSay(to, "blobs", digest, 200, startedMs);
    }
    const copied = { ...image, repository: to };
    await this.#putManifest(copied, this.#tag(), startedMs);
  }

  async #pushManifest(
    repository: string,
    {
      config,
      layers,
      startedMs,
    }: { readonly config: Made; readonly layers: readonly Made[]; readonly startedMs: number },
  ): Promise<Image> {
    const described = (kind: string, { digest, size }: Made) => ({
      mediaType: `application/vnd.oci.image.${kind}`,
      digest,
      size,
    });
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: described("config.v1+json", config),
      layers: layers.map((each) => described("layer.v1.tar", each)),
    });
    const bytes = new TextEncoder().encode(text);
    const blobs = [config, ...layers].map(({ digest, size }) => ({ digest, size }));
    const image = { repository, digest: sha256(bytes), bytes, blobs };
    await this.#putManifest(image, this.#tag(), startedMs);
    return image;
  }

  async #putManifest(image: Image, tag: string, startedMs: number): Promise<void> {
    const { journal, gcDelayMs, count } = this.#options;
    const { repository, digest, bytes } = image;
    journal.moving(repository, tag, image);
    journal.set(repository, "manifests", digest, "doubtful");
    const headers = { "content-type": manifestType };
    const path = `/v2/${repository}/manifests/${tag}`;
    const answer = await this.#send("PUT", path, [201, 404, 400], { body: bytes, headers });
    if (answer.status !== 201) {
      if (performance.now() - startedMs < gcDelayMs) {
        journal.problems.push(`${path}: ${answer.status} though its blobs were acknowledged`);
      } else count("pushes slower than collection");
      throw new Unanswered(`${path}: ${answer.status}`);
    }
    journal.set(repository, "manifests", digest, "there");
    journal.moved(repository, tag);
    journal.acknowledge();
    await this.#mustBe(repository, tag, digest);
  }

  async #removeTag(): Promise<void> {
    const { journal } = this.#options;
    const [repository, tag] = [this.#pick(repositories), this.#tag()];
    const was = journal.at(repository, tag);
    journal.moving(repository, tag, null);
    const answer = await this.#send("DELETE", `/v2/${repository}/manifests/${tag}`, [202, 404]);
    if (answer.status === 404 && was !== null && was !== undefined) {
      journal.problems.push(`${repository}:${tag} is gone before it was deleted`);
    }
    journal.moved(repository, tag);
    journal.acknowledge();
    await this.#mustBe(repository, tag, null);
  }

  /** A manifest goes with the tags that point at it; some come back at once. */
  async #removeManifest(): Promise<{ readonly image: Image; readonly tag: string } | null> {
    const { journal } = this.#options;
    const [repository, tag] = [this.#pick(repositories), this.#tag()];
    const image = journal.at(repository, tag);
    if (image === null || image === undefined) {
      await this.#pushImage();
      return null;
    }
    const { digest } = image;
    const pointing = journal.tags.filter(
      (each) =>
        each.repository === repository && each.possible.some((one) => one?.digest === digest),
    );
    for (const each of pointing) journal.moving(repository, each.tag, null);
    journal.set(repository, "manifests", digest, "doubtful");
    const path = `/v2/${repository}/manifests/${digest}`;
    const answer = await this.#send("DELETE", path, [202, 404]);
    if (answer.status === 404) {
      journal.problems.push(`${repository}:${tag} is gone before its manifest was deleted`);
    }
    for (const each of pointing) journal.moved(repository, each.tag);
    journal.set(repository, "manifests", digest, "gone");
    journal.acknowledge();
    await this.#mustSay(repository, "manifests", digest, 404);
    await this.#mustBe(repository, tag, null);
    return { image, tag };
  }

  async #undo(): Promise<void> {
    const { journal, undoWindowMs, count } = this.#options;
    const startedMs = performance.now();
    const removed = await this.#removeManifest();
    if (removed === null) return;
    const { image, tag } = removed;
    const { repository, digest } = image;
    journal.moving(repository, tag, image);
    journal.set(repository, "manifests", digest, "doubtful");
    const path = `/v2/${repository}/_zot/tag-history/${tag}/restore`;
    const init = {
      body: JSON.stringify({ digest }),
      headers: { "content-type": "application/json" },
    };
    const answer = await this.#send("POST", path, [200, 404], init);
    if (answer.status === 404) {
      if (performance.now() - startedMs < undoWindowMs) {
        journal.problems.push(`${path}: 404 while undo holds ${digest}`);
      } else count("undos that came too late");
      throw new Unanswered(path);
    }
    journal.moved(repository, tag);
    journal.set(repository, "manifests", digest, "there");
    journal.acknowledge();
    await this.#mustBe(repository, tag, digest);
  }

  /** A blob that nothing names comes, goes, and now and then comes again. */
  async #looseBlob(): Promise<void> {
    const { journal, random, gcDelayMs, count } = this.#options;
    const repository = this.#pick(repositories);
    const blob = this.#made(1 + random(5_000));
    for (let times = 1 + random(2); times > 0; times -= 1) {
      const startedMs = performance.now();
      journal.set(repository, "blobs", blob.digest, "doubtful");
      await this.#pushBlob(repository, blob);
      const path = `/v2/${repository}/blobs/${blob.digest}`;
      const answer = await this.#send("DELETE", path, [202, 404]);
      if (answer.status === 404) {
        if (performance.now() - startedMs < gcDelayMs) {
          journal.problems.push(`${path}: 404 though its push was acknowledged`);
        } else count("pushes slower than collection");
      }
      journal.set(repository, "blobs", blob.digest, "gone");
      journal.acknowledge();
      await this.#mustSay(repository, "blobs", blob.digest, 404);
    }
  }

  async #pushBlob(repository: string, blob: Made): Promise<void> {
    const { journal, random } = this.#options;
    const startedMs = performance.now();
    const uploads = `/v2/${repository}/blobs/uploads/`;
    if (random(2) === 0) {
      await this.#send("POST", `${uploads}?digest=${blob.digest}`, 201, { body: blob.bytes });
    } else {
      const opened = await this.#send("POST", uploads, 202);
      await this.#sendInChunks(opened.headers.get("location") ?? "", blob);
    }
    journal.acknowledge();
    await this.#mustSay(repository, "blobs", blob.digest, 200, startedMs);
  }

  /** Each request goes to another replica; where one failed, it is asked how far the upload is. */
  async #sendInChunks(location: string, { bytes, digest }: Made): Promise<void> {
    let [at, next, tries] = [0, location, 0];
    const half = bytes.length >> 1;
    while (at < half) {
      try {
        const body = bytes.subarray(at, half);
        const range = `${at}-${half - 1}`;
        const answer = await this.#send("PATCH", next, [202, 404], {
          body,
          headers: { "content-range": range, "content-type": "application/octet-stream" },
        });
        if (answer.status === 404) this.#sessionLost();
        next = answer.headers.get("location") ?? next;
        at = half;
      } catch (error) {
        tries += 1;
        const stands = tries > 6 ? null : await this.#standsAt(location);
        if (stands === null) throw error;
        at = stands;
      }
    }
    const target = `${next}${next.includes("?") ? "&" : "?"}digest=${digest}`;
    const answer = await this.#send("PUT", target, [201, 404, 416], { body: bytes.subarray(at) });
    if (answer.status !== 201) this.#sessionLost();
  }

  #sessionLost(): never {
    this.#options.count("upload sessions that were lost");
    throw new Unanswered("its session is gone");
  }

  /** How many bytes a session has; null where nobody can tell. */
  async #standsAt(location: string): Promise<number | null> {
    await new Promise((resolve) => setTimeout(resolve, 300));
    try {
      const answer = await this.#send("GET", location, [204, 404]);
      if (answer.status === 404) this.#sessionLost();
      this.#options.count("upload sessions that went on elsewhere");
      const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "") ?? [];
      return last === undefined || last === "0" ? 0 : Number(last) + 1;
    } catch {
      return null;
    }
  }

  /** A random replica must say of a tag what was acknowledged. */
  async #mustBe(repository: string, tag: string, digest: string | null): Promise<void> {
    const { journal } = this.#options;
    const path = `/v2/${repository}/manifests/${tag}`;
    const answer = await this.#askOne(path);
    if (answer === null) return;
    const found = answer.status === 200 ? answer.headers.get("docker-content-digest") : null;
    if (found === digest && (answer.status === 200 || answer.status === 404)) return;
    const said = digest ?? "gone";
    journal.problems.push(`${path}: ${answer.status} ${found} right after it became ${said}`);
  }

  /** The same of content; what nothing names is there for a while. */
  async #mustSay(
    repository: string,
    kind: Kind,
    digest: string,
    status: number,
    sinceMs = performance.now(),
  ): Promise<void> {
    const { journal, gcDelayMs } = this.#options;
    const path = `/v2/${repository}/${kind}/${digest}`;
    const answer = await this.#askOne(path);
    if (answer === null || answer.status === status) return;
    if (status === 200 && performance.now() - sinceMs > gcDelayMs) return;
    journal.problems.push(`${path}: ${answer.status} right after ${status} was acknowledged`);
  }

  /** Null where the replica does not answer. */
  async #askOne(path: string): Promise<Response | null> {
    const { replicas, count } = this.#options;
    try {
      const answer = await fetch(`${this.#pick(replicas)}${path}`, {
        method: "HEAD",
        headers: { accept: manifestType },
        signal: AbortSignal.timeout(requestMs),
      });
      if (answer.status >= 500 || answer.status === 429) return null;
      count("answers of other replicas");
      return answer;
    } catch {
      return null;
    }
  }

  async #send(
    method: string,
    path: string,
    expected: number | readonly number[],
    init: { body?: Uint8Array<ArrayBuffer> | string; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const { url, journal, count } = this.#options;
    const target = new URL(path, url);
    // A location may name a replica; the balancer is asked all the same.
    const asked = `${url}${target.pathname}${target.search}`;
    const signal = AbortSignal.timeout(requestMs);
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(asked, { method, ...init, signal, redirect: "manual" });
      text = await answer.text();
    } catch (error) {
      journal.unknown += 1;
      count("requests that were cut");
      throw new Unanswered(`${method} ${path}: ${String(error)}`);
    }
    if ([expected].flat().includes(answer.status)) return answer;
    journal.unknown += 1;
    count(`answers ${answer.status}`);
    const isOfWeather = answer.status >= 500 || answer.status === 429 || answer.status === 409;
    if (!isOfWeather && !path.includes("/blobs/uploads/")) {
      journal.problems.push(
        `${method} ${path}: ${answer.status} ${text.slice(0, 300)} ${JSON.stringify([...answer.headers])}`,
      );
    }
    throw new Unanswered(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  }
}
