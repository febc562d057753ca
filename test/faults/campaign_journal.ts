// What the clients of a campaign were told, and whether every replica says the same.
//
// Each client has names of its own, so that their order is known. A tag is where its last acknowledged change left it, or
// where a change of unknown outcome wanted it; its image is complete then. What was deleted with an acknowledgement is
// absent. Anything else may be there or be collected, and has the bytes of its digest if it is there.

import { manifestType, sha256 } from "./journal.ts";

export interface Blob {
  readonly digest: string;
  readonly size: number;
}

export interface Image {
  readonly repository: string;
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly blobs: readonly Blob[];
}

export type Kind = "manifests" | "blobs";

interface Tag {
  readonly repository: string;
  readonly tag: string;
  /** The last acknowledgement, and after it what was asked for without one. */
  possible: (Image | null)[];
}

interface Content {
  readonly repository: string;
  readonly kind: Kind;
  readonly digest: string;
  state: "there" | "gone" | "doubtful";
}

export class CampaignJournal {
  readonly #tags = new Map<string, Tag>();
  readonly #contents = new Map<string, Content>();
  readonly problems: string[] = [];
  acknowledged = 0;
  unknown = 0;

  acknowledge(): void {
    this.acknowledged += 1;
  }

  /** A change of a tag was asked for. */
  moving(repository: string, tag: string, to: Image | null): void {
    const key = `${repository} ${tag}`;
    const known = this.#tags.get(key) ?? { repository, tag, possible: [null] };
    known.possible.push(to);
    this.#tags.set(key, known);
  }

  /** Its last change was acknowledged. */
  moved(repository: string, tag: string): void {
    const known = this.#tags.get(`${repository} ${tag}`);
    if (known !== undefined) known.possible = known.possible.slice(-1);
  }

  /** What a tag is for certain; undefined where nobody knows. */
  at(repository: string, tag: string): Image | null | undefined {
    const possible = this.#tags.get(`${repository} ${tag}`)?.possible ?? [null];
    return possible.length === 1 ? possible[0] : undefined;
  }

  set(repository: string, kind: Kind, digest: string, state: Content["state"]): void {
    this.#contents.set(`${repository} ${digest}`, { repository, kind, digest, state });
  }

  isGone(repository: string, digest: string): boolean {
    return this.#contents.get(`${repository} ${digest}`)?.state === "gone";
  }

  /** Asks each server for every tag, and for what was deleted: of that so many, at random. Clients have to wait. */
  async check(
    urls: readonly string[],
    {
      goneMax = Infinity,
      random = () => 0,
    }: { readonly goneMax?: number; readonly random?: (below: number) => number } = {},
  ): Promise<void> {
    const gone = [...this.#contents.values()].filter(({ state }) => state === "gone");
    const asked = gone.length <= goneMax ? gone : sampleOf(gone, goneMax, random);
    const work = urls.flatMap((url) => [
      ...[...this.#tags.values()].map((tag) => () => checkTag(url, tag)),
      ...asked.map((content) => () => checkGone(url, content)),
    ]);
    const next = async (): Promise<void> => {
      for (let check = work.pop(); check !== undefined; check = work.pop()) {
        this.problems.push(...(await check()));
      }
    };
    await Promise.all(Array.from({ length: 12 }, next));
  }

  /** Everything is to be removed: nothing is known any more. */
  forget(): void {
    this.#tags.clear();
    this.#contents.clear();
  }

  get tags(): readonly Tag[] {
    return [...this.#tags.values()];
  }
}

function sampleOf<T>(list: readonly T[], count: number, random: (below: number) => number): T[] {
  // The newest ones, and as many of all others.
  const recent = list.slice(-Math.ceil(count / 2));
  const old = Array.from({ length: Math.floor(count / 2) }, () => list[random(list.length)]);
  return [...recent, ...old.filter((each) => each !== undefined)];
}

/** Null where nobody answers as it should; a replica that runs is asked a few times. */
async function answerOf(
  url: string,
): Promise<{ status: number; bytes: Uint8Array; digest: string | null } | null> {
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      const headers = { accept: manifestType };
      const answer = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const digest = answer.headers.get("docker-content-digest");
      if (answer.status < 500 && answer.status !== 429)
        return { status: answer.status, bytes, digest };
    } catch {
      // It is told below.
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return null;
}

async function checkTag(url: string, { repository, tag, possible }: Tag): Promise<string[]> {
  const says = `${repository}:${tag} at ${url}`;
  const was = possible.map((one) => one?.digest ?? "nothing").join(" or ");
  const answer = await answerOf(`${url}/v2/${repository}/manifests/${tag}`);
  if (answer === null) return [`${says} is not answered in calm weather`];
  if (answer.status === 404)
    return possible.includes(null) ? [] : [`${says} is gone; it was ${was}`];
  if (answer.status !== 200) return [`${says} is answered ${answer.status}`];
  const image = possible.find((one) => one?.digest === answer.digest);
  if (image === undefined || image === null) return [`${says} is ${answer.digest}; it was ${was}`];
  if (sha256(answer.bytes) !== image.digest) return [`${says} has wrong bytes`];
  const problems: string[] = [];
  for (const { digest } of image.blobs) {
    const blob = await answerOf(`${url}/v2/${repository}/blobs/${digest}`);
    if (blob === null) problems.push(`${digest} of ${says} is not answered in calm weather`);
    else if (blob.status !== 200) problems.push(`${digest} of ${says} is answered ${blob.status}`);
    else if (sha256(blob.bytes) !== digest) problems.push(`${digest} of ${says} has wrong bytes`);
  }
  return problems;
}

async function checkGone(url: string, { repository, kind, digest }: Content): Promise<string[]> {
  const answer = await answerOf(`${url}/v2/${repository}/${kind}/${digest}`);
  const says = `${repository} ${kind} ${digest} at ${url}`;
  if (answer === null) return [`${says} is not answered in calm weather`];
  return answer.status === 404 ? [] : [`${says} was deleted, and is answered ${answer.status}`];
}
