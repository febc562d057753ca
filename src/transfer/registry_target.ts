/** One repository of a registry as a target of images. */
import { KeyedMutex } from "../lib/keyed_mutex.ts";
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { parseDigest, type Digest } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media_types.ts";
import { isTag } from "../oci/reference.ts";
import type { Exchange } from "../client/exchange.ts";
import type { Address } from "../client/registry_url.ts";
import { locationOf } from "../client/registry_client.ts";
import {
  TransferError,
  type ImageTarget,
  type ManifestPlace,
  type NamedBlob,
  type Placed,
  type PlacedManifest,
  type ProvenContent,
} from "./image_place.ts";
import { partsOf } from "./manifest_parts.ts";
import type { RegistrySession } from "./registry_session.ts";
import { isPassing, pause } from "./retries.ts";

/** Blobs up to this go in one request after the one that begins the upload. */
const singleBytesMax = 4 * MiB;
const parallelMax = 64;

export interface RegistryTargetOptions {
  /** Another repository of the same registry, which has the blobs already. */
  readonly mountFrom: string | null;
}

export class RegistryTarget implements ImageTarget {
  readonly label: string;
  readonly isWhole = true;
  readonly parallelMax = parallelMax;
  readonly #session: RegistrySession;
  readonly #mountFrom: string | null;
  readonly #indexes = new KeyedMutex();

  constructor(session: RegistrySession, { mountFrom }: RegistryTargetOptions) {
    this.#session = session;
    this.#mountFrom = mountFrom;
    this.label = session.label;
  }

  tagDigest(tag: string): Promise<string | null> {
    return this.#session.head(tag);
  }

  async hasManifest(digest: Digest): Promise<boolean> {
    return (await this.#session.head(digest)) !== null;
  }

  manifest(digest: Digest): Promise<PlacedManifest | null> {
    return this.#session.manifest(digest);
  }

  async hasBlob({ digest, sizeBytes }: NamedBlob): Promise<boolean> {
    const { status, headers } = await this.#session.ask(
      { method: "HEAD", url: this.#session.path(`blobs/${digest}`) },
      { what: `blob ${digest}`, statuses: [200, 400, 401, 403, 404, 405] },
    );
    const length = headers.get("Content-Length");
    return status === 200 && (length === null || Number(length) === sizeBytes);
  }

  async putBlob(content: ProvenContent): Promise<Placed> {
    const begun = await this.#begin(content.digest);
    if (begun === null) return "mounted";
    if (content.sizeBytes <= singleBytesMax) await this.#single(content, begun);
    else await this.#stream(content, begun);
    return "sent";
  }

  async putManifest(manifest: PlacedManifest, { tag }: ManifestPlace): Promise<void> {
    const { digest, mediaType, bytes } = manifest;
    const exchange = await this.#session.ask(
      {
        method: "PUT",
        url: this.#session.path(`manifests/${tag ?? digest}`),
        headers: [["Content-Type", mediaType]],
        body: bytes,
      },
      { what: `manifest ${digest}`, statuses: [200, 201, 202] },
    );
    const stored = exchange.headers.get("Docker-Content-Digest");
    if (stored !== null && stored !== digest && tag !== null) {
      throw new TransferError(`${this.label}: it stored ${stored} in place of ${digest}`);
    }
    const { subject, ...parts } = partsOf(manifest, this.label);
    if (subject === null || exchange.headers.get("OCI-Subject") !== null) return;
    await this.#addReferrer(subject, {
      mediaType,
      digest,
      size: bytes.length,
      ...(parts.artifactType === null ? {} : { artifactType: parts.artifactType }),
      ...(parts.annotations === null ? {} : { annotations: parts.annotations }),
    });
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {
    this.#session.client.close();
  }

  /** Where the upload goes on; null when the registry mounted the blob. */
  async #begin(digest: Digest): Promise<Address | null> {
    const query =
      this.#mountFrom === null
        ? ""
        : `?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(this.#mountFrom)}`;
    const exchange = await this.#session.ask(
      { method: "POST", url: this.#session.path(`blobs/uploads/${query}`) },
      { what: `blob ${digest}`, statuses: [201, 202] },
    );
    return exchange.status === 201 ? null : this.#next(exchange, digest);
  }

  async #single(content: ProvenContent, begun: Address): Promise<void> {
    let location = begun;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const body = { open: () => content.from(0), lengthBytes: content.sizeBytes };
        const { signal } = this.#session.retries;
        const exchange = await this.#session.client.uploadPut(
          location,
          content.digest,
          { body },
          { signal },
        );
        if (isDone(exchange)) return;
        throw this.#session.refused(exchange, `blob ${content.digest}`);
      } catch (error) {
        await this.#again(attempt, content.failure ?? error, location);
        if (await this.hasBlob(content)) return;
        const again = await this.#begin(content.digest);
        if (again === null) return;
        location = again;
      }
    }
  }

  async #stream(content: ProvenContent, begun: Address): Promise<void> {
    const { client, retries } = this.#session;
    let location = begun;
    let fromByte = 0;
    for (let attempt = 1; ;) {
      try {
        const start = fromByte;
        const lengthBytes = content.sizeBytes - start;
        const chunk = {
          body: { open: () => content.from(start), lengthBytes },
          ...(start === 0 ? {} : { range: `${start}-${content.sizeBytes - 1}` }),
        };
        const exchange = await client.uploadPatch(location, chunk, { signal: retries.signal });
        if (exchange.status !== 202 && !isDone(exchange)) {
          throw this.#session.refused(exchange, `blob ${content.digest}`);
        }
        location = this.#next(exchange, content.digest);
        break;
      } catch (error) {
        await this.#again(attempt, content.failure ?? error, location);
        const stands = await this.#stands(location, content);
        attempt = stands !== null && stands.fromByte > fromByte ? 1 : attempt + 1;
        ({ location, fromByte } = stands ?? {
          location: (await this.#begin(content.digest)) ?? location,
          fromByte: 0,
        });
        if (fromByte === content.sizeBytes) break;
      }
    }
    await this.#complete(content, location);
  }

  /** Goes on after trouble that passes; gives the upload up after any other. */
  async #again(attempt: number, error: unknown, location: Address): Promise<void> {
    const { retries, client } = this.#session;
    if (isPassing(error) && attempt < retries.attemptsMax && !retries.signal.aborted) {
      return pause(retries, attempt, error);
    }
    await client.uploadCancel(location).catch(() => null);
    throw error;
  }

  /** How far an upload came that broke off; null when it is gone. */
  async #stands(
    location: Address,
    content: ProvenContent,
  ): Promise<{ location: Address; fromByte: number } | null> {
    const exchange = await this.#session.client.uploadStatus(location).catch(() => null);
    if (exchange === null || (exchange.status !== 204 && exchange.status !== 202)) return null;
    const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(exchange.headers.get("Range") ?? "") ?? [];
    const fromByte = last === undefined ? 0 : Number(last) + 1;
    // "0-0" is one byte, or none.
    if (fromByte <= 1 || fromByte > content.sizeBytes) return null;
    return { location: locationOf(exchange) ?? location, fromByte };
  }

  async #complete(content: ProvenContent, location: Address): Promise<void> {
    const { client, retries } = this.#session;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { signal } = retries;
        const exchange = await client.uploadPut(location, content.digest, {}, { signal });
        if (isDone(exchange)) return;
        throw this.#session.refused(exchange, `blob ${content.digest}`);
      } catch (error) {
        await this.#again(attempt, content.failure ?? error, location);
        // The answer may have been lost, not the request.
        if (await this.hasBlob(content)) return;
      }
    }
  }

  #next(exchange: Exchange, digest: Digest): Address {
    const location = locationOf(exchange);
    if (location !== null) return location;
    throw new TransferError(
      `${this.label}: blob ${digest}: the registry gave no address for the upload`,
    );
  }

  /** Of a registry without a list of referrers, clients keep one under a tag (distribution-spec, "Referrers Tag Schema"). */
  #addReferrer(
    subject: string,
    descriptor: Omit<Descriptor, "annotations"> & {
      readonly annotations?: Readonly<Record<string, string>>;
    },
  ): Promise<void> {
    const tag = subject.replace(":", "-");
    if (!isTag(tag) || parseDigest(subject) === null) return Promise.resolve();
    return this.#indexes.run(tag, async () => {
      const there = await this.#session.manifest(tag);
      const listed = there === null ? [] : this.#manifestsIn(there, tag);
      if (listed.some((entry) => isJsonObject(entry) && entry["digest"] === descriptor.digest)) {
        return;
      }
      const index = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [...listed, descriptor],
      };
      await this.#session.ask(
        {
          method: "PUT",
          url: this.#session.path(`manifests/${tag}`),
          headers: [["Content-Type", mediaTypes.ociIndex]],
          body: new TextEncoder().encode(JSON.stringify(index)),
        },
        { what: `list of referrers ${tag}`, statuses: [200, 201, 202] },
      );
    });
  }

  #manifestsIn({ bytes }: PlacedManifest, tag: string): readonly unknown[] {
    const parsed = parseStrictJson(bytes, { depthMax: 64 });
    const listed =
      "value" in parsed && isJsonObject(parsed.value) ? parsed.value["manifests"] : null;
    if (Array.isArray(listed)) return listed;
    throw new TransferError(
      `${this.label}: the tag ${tag} is no list of referrers; it is left as it is`,
    );
  }
}

/** Some registries answer 204 where the specification has 201. */
function isDone({ status }: Exchange): boolean {
  return status === 201 || status === 204;
}
