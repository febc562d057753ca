// What clients were told: every acknowledgement, and every request whose outcome nobody told them.
//
// It lives in the test's memory, away from the faulted disk. `check` asks a server for all of it again. After a power
// cut no acknowledgement counts until `resume`: a flush that races the file system's shutdown may return success, so
// that the server acknowledges in good faith what the disk never got.
// An acknowledged push must be readable byte for byte. A tag must be where its last acknowledged change left it, or
// where a later change of unknown outcome wanted it. Every answer must have the digest that it claims. One client at a
// time changes a tag or digest, so that its order is known.

import { createHash } from "node:crypto";

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

interface Content {
  readonly repository: string;
  readonly kind: "blobs" | "manifests";
  readonly digest: string;
  readonly bytes: Uint8Array;
  /** False once a delete was asked for: it may be gone. */
  required: boolean;
}

interface Tag {
  readonly repository: string;
  readonly tag: string;
  /** Where it may point, null for nowhere. The first is where the last acknowledgement left it. */
  possible: (string | null)[];
}

export const manifestType = "application/vnd.oci.image.manifest.v1+json";

export class Journal {
  readonly #contents = new Map<string, Content>();
  readonly #tags = new Map<string, Tag>();
  acknowledged = 0;
  unknown = 0;
  #isPowerCut = false;

  /** To be called in the same breath as the cut: what is read from a socket later counts as unknown. */
  powerIsCut(): void {
    this.#isPowerCut = true;
  }

  resume(): void {
    this.#isPowerCut = false;
  }

  /** A push was acknowledged. */
  stored(repository: string, kind: Content["kind"], digest: string, bytes: Uint8Array): void {
    const key = `${repository} ${kind} ${digest}`;
    if (this.#isPowerCut) this.unknown += 1;
    else this.acknowledged += 1;
    const required = !this.#isPowerCut || this.#contents.get(key)?.required === true;
    this.#contents.set(key, { repository, kind, digest, bytes, required });
  }

  /** A delete was asked for: from now on it may be gone. */
  deleting(repository: string, kind: Content["kind"], digest: string): void {
    const content = this.#contents.get(`${repository} ${kind} ${digest}`);
    if (content !== undefined) content.required = false;
  }

  /** A change of a tag was asked for; null deletes it. */
  moving(repository: string, tag: string, digest: string | null): void {
    const key = `${repository} ${tag}`;
    const known = this.#tags.get(key) ?? { repository, tag, possible: [null] };
    known.possible.push(digest);
    this.#tags.set(key, known);
  }

  /** The last change of the tag that was asked for was acknowledged. */
  moved(repository: string, tag: string): void {
    if (this.#isPowerCut) {
      this.unknown += 1;
      return;
    }
    this.acknowledged += 1;
    const known = this.#tags.get(`${repository} ${tag}`);
    if (known !== undefined) known.possible = known.possible.slice(-1);
  }

  /** Contents of a repository that must be there, such as blobs to build manifests of. */
  required(repository: string, kind: Content["kind"]): readonly Content[] {
    return [...this.#contents.values()].filter(
      (content) => content.repository === repository && content.kind === kind && content.required,
    );
  }

  /** Asks a server for everything and says what is not as it was told. */
  async check(url: string): Promise<string[]> {
    const problems: string[] = [];
    const work: (() => Promise<string | null>)[] = [
      ...[...this.#contents.values()].map((content) => () => checkContent(url, content)),
      ...[...this.#tags.values()].map((tag) => () => checkTag(url, tag)),
    ];
    const next = async (): Promise<void> => {
      for (let check = work.pop(); check !== undefined; check = work.pop()) {
        const problem = await check();
        if (problem !== null) problems.push(problem);
      }
    };
    await Promise.all(Array.from({ length: 8 }, next));
    return problems;
  }

  /** What index.json of the repository must list of tags, as sorted lines; a tag in doubt lists all that it may be. */
  tagsOf(
    repository: string,
  ): { readonly tag: string; readonly possible: readonly (string | null)[] }[] {
    return [...this.#tags.values()].filter((tag) => tag.repository === repository);
  }

  get repositories(): string[] {
    return [...new Set([...this.#contents.values()].map(({ repository }) => repository))];
  }
}

async function checkContent(url: string, content: Content): Promise<string | null> {
  const { repository, kind, digest, bytes, required } = content;
  const says = `${repository}/${kind}/${digest}`;
  const answer = await fetch(`${url}/v2/${repository}/${kind}/${digest}`);
  if (answer.status !== 200) {
    await answer.body?.cancel();
    return required ? `${says} was acknowledged, and is answered ${answer.status}` : null;
  }
  const found = new Uint8Array(await answer.arrayBuffer());
  return Buffer.compare(found, bytes) === 0
    ? null
    : `${says} is answered with ${found.length} wrong bytes`;
}

async function checkTag(url: string, { repository, tag, possible }: Tag): Promise<string | null> {
  const says = `${repository}:${tag}`;
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`);
  if (answer.status === 404) {
    await answer.body?.cancel();
    return possible.includes(null) ? null : `${says} is gone; it was ${possible.join(" or ")}`;
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (answer.status !== 200) return `${says} is answered ${answer.status}`;
  const digest = answer.headers.get("docker-content-digest");
  if (sha256(bytes) !== digest) return `${says} is answered with bytes that are not ${digest}`;
  return possible.includes(digest)
    ? null
    : `${says} is ${digest}; it was ${possible.map((one) => one ?? "nothing").join(" or ")}`;
}
