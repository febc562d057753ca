// What a case works with: a client, two repositories, fresh content, and what the run has learnt.
//
// The `push...` methods prepare content for cases about something else: when they fail the case is
// skipped, because the cases about pushing say what is wrong. Everything made is noted and removed.
import { ClientError } from "../client/client_error.ts";
import type { Credentials } from "../client/client_auth.ts";
import type { Exchange } from "../client/exchange.ts";
import {
  locationOf,
  RegistryClient,
  type RegistryClientOptions,
} from "../client/registry_client.ts";
import type { Address } from "../client/registry_url.ts";
import type { Algorithm } from "../oci/digest.ts";
import { type Blob, ContentMaker, type ManifestContent } from "./content.ts";
import { errorCodesOf } from "./expect.ts";
import { WatchedClient } from "./ledger.ts";
import { Skipped, Unsupported } from "./verdict.ts";

export interface TrialOptions {
  client: RegistryClientOptions & { credentials?: Credentials };
  /** Where content is pushed, and where it is mounted from. */
  repository: string;
  secondRepository: string;
  /** Distinguishes the content of runs. */
  seed: string;
}

/** Things that later cases need to know about the registry. */
export interface Facts {
  /** The largest `OCI-Chunk-Min-Length` seen; 0 when none. */
  chunkBytesMin: number;
  /** Whether a blob named by this algorithm was refused. */
  refusedAlgorithms: Set<Algorithm>;
  /** Whether there is a referrers API; null while nobody asked. */
  referrers: boolean | null;
}

export class Trial {
  readonly client: WatchedClient;
  readonly repository: string;
  readonly secondRepository: string;
  readonly seed: string;
  readonly facts: Facts = {
    chunkBytesMin: 0,
    refusedAlgorithms: new Set(),
    referrers: null,
  };
  readonly #options: TrialOptions;
  readonly #others: RegistryClient[] = [];
  #drawn = 0;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.client = new WatchedClient(options.client);
    this.repository = options.repository;
    this.secondRepository = options.secondRepository;
    this.seed = options.seed;
  }

  get credentials(): Credentials {
    return this.#options.client.credentials ?? { kind: "anonymous" };
  }

  /** A second client of the same registry with another login. Closed with the trial. */
  clientWith(credentials: Credentials): RegistryClient {
    const client = new RegistryClient({ ...this.#options.client, credentials });
    this.#others.push(client);
    return client;
  }

  close(): void {
    this.client.close();
    for (const client of this.#others.splice(0)) client.close();
  }

  /** Content that no other case has. */
  maker(algorithm: Algorithm = "sha256"): ContentMaker {
    return new ContentMaker(`${this.seed} ${this.#drawn++}`, algorithm);
  }

  /** A tag or repository component that was never used. */
  name(prefix: string): string {
    return this.maker().name(prefix);
  }

  /** A blob of `bytes` bytes of noise, not pushed. */
  blob(bytes = 512, algorithm: Algorithm = "sha256"): Blob {
    const maker = this.maker(algorithm);
    return maker.blob(maker.noise(bytes));
  }

  /** Pushes with POST and PUT; skips the case when that does not work. */
  async pushBlob(blob: Blob, repository: string = this.repository): Promise<Blob> {
    const location = await this.startUpload(repository);
    const done = await this.client.uploadPut(location, blob.digest, { body: blob.bytes });
    require201(done, `blob ${blob.digest}`);
    return blob;
  }

  /** Opens an upload session; skips the case when that does not work. */
  async startUpload(repository: string = this.repository): Promise<Address> {
    const start = await this.client.uploadStart(repository);
    const location = start.status === 202 ? locationOf(start) : null;
    if (location === null) throw new Skipped(`No upload session: POST answered ${start.status}`);
    return location;
  }

  /** Pushes a manifest under a tag or its digest; skips the case when that does not work. */
  async pushManifest(
    manifest: ManifestContent,
    reference: string = manifest.digest,
    repository: string = this.repository,
  ): Promise<ManifestContent> {
    const { mediaType, bytes } = manifest;
    const done = await this.client.manifestPut(repository, reference, { mediaType, body: bytes });
    require201(done, `manifest ${reference}`);
    return manifest;
  }

  /** Pushes all that a maker made, manifests by digest in order. */
  async pushAll(maker: ContentMaker, repository: string = this.repository): Promise<void> {
    for (const blob of maker.blobs.values()) await this.pushBlob(blob, repository);
    for (const manifest of maker.manifests) {
      await this.pushManifest(manifest, manifest.digest, repository);
    }
  }

  /** Whether the registry has the referrers API at all: it must not answer 404 then [end-12a]. */
  async hasReferrers(): Promise<boolean> {
    const digest = `sha256:${"0".repeat(64)}`;
    this.facts.referrers ??= (await this.client.referrers(this.repository, digest)).status !== 404;
    return this.facts.referrers;
  }

  /** Ends a case about referrers where there are none; the case `empty/referrers` fails for it. */
  async requireReferrers(): Promise<void> {
    if (!(await this.hasReferrers())) throw new Unsupported("There is no referrers API: 404");
  }

  /** An image whose blobs are pushed and which itself is not. */
  async pushImageBlobs(): Promise<ManifestContent> {
    const maker = this.maker();
    const image = maker.image({ layerCount: 1 });
    for (const blob of maker.blobs.values()) await this.pushBlob(blob);
    return image;
  }

  /** A small image, pushed; `tag` is set when given. */
  async pushImage(
    options: Parameters<ContentMaker["image"]>[0] & { tag?: string } = {},
  ): Promise<ManifestContent> {
    const maker = this.maker();
    const image = maker.image({ layerCount: 1, ...options });
    for (const blob of maker.blobs.values()) await this.pushBlob(blob);
    return this.pushManifest(image, options.tag ?? image.digest);
  }
}

function require201(exchange: Exchange, what: string): void {
  if (exchange.status === 201) return;
  const codes = errorCodesOf(exchange).join(", ");
  throw new Skipped(`The ${what} that this needs was refused: ${exchange.status} ${codes}`.trim());
}

/** Whether a failure means that the registry is gone, not that it answered wrongly. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof ClientError &&
    ["refused", "unknownHost", "unreachable", "connectTimeout"].includes(error.kind)
  );
}
