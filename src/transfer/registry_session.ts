/**
 * Requests to one repository of a registry, repeated after trouble that passes, and what a status means in words.
 */
import { essenceOf } from "../lib/http_fields.ts";
import { MiB } from "../lib/bytes.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { algorithmOf, digestOf, parseDigest } from "../oci/digest.ts";
import { manifestTypes, mediaTypes } from "../oci/media_types.ts";
import type { Exchange, ExchangeRequest, OpenExchange } from "../client/exchange.ts";
import type { HeaderLine, HeaderLines } from "../client/http_message.ts";
import type { RegistryClient } from "../client/registry_client.ts";
import { TransferError, type PlacedManifest } from "./image_place.ts";
import { withRetries, type Retries } from "./retries.ts";

export interface RegistrySessionOptions {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly retries: Retries;
  /** Such as `docker://registry.example/app`. */
  readonly label: string;
}

/** Larger manifests are not read. Registries take 4 MiB. */
export const manifestBytesMax = 16 * MiB;
/** Of what a registry says in a JSON document. */
const answerBytesMax = 64 * MiB;

const manifestAccept: readonly HeaderLine[] = [
  ...manifestTypes.map(({ mediaType }) => ["Accept", mediaType] as const),
  ["Accept", "application/vnd.oci.artifact.manifest.v1+json"],
  ["Accept", "*/*;q=0.1"],
];
const plain: HeaderLine = ["Accept-Encoding", "identity"];
/** A HEAD that is refused like this may work as a GET: presigned addresses, registries without HEAD. */
const headless: ReadonlySet<number> = new Set([400, 401, 403, 405, 501]);
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export class RegistrySession {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly retries: Retries;
  readonly label: string;

  constructor(options: RegistrySessionOptions) {
    this.client = options.client;
    this.repository = options.repository;
    this.retries = options.retries;
    this.label = options.label;
  }

  /** An answer whose status is one of these. @throws TransferError for any other. */
  ask(
    request: ExchangeRequest,
    expected: { what: string; statuses: readonly number[] },
  ): Promise<Exchange> {
    return withRetries(this.retries, async () => {
      const exchange = await this.client.exchange({
        bodyBytesMax: answerBytesMax,
        signal: this.retries.signal,
        ...request,
      });
      if (expected.statuses.includes(exchange.status)) return exchange;
      throw this.refused(exchange, expected.what);
    });
  }

  /** Digest that a reference names; null when it is absent. */
  async head(reference: string): Promise<string | null> {
    const exchange = await this.ask(
      { method: "HEAD", url: this.path(`manifests/${reference}`), headers: manifestAccept },
      { what: reference, statuses: [200, 404, ...headless] },
    );
    if (exchange.status === 404) return null;
    const digest = exchange.headers.get("Docker-Content-Digest");
    if (exchange.status === 200 && digest !== null && parseDigest(digest) !== null) return digest;
    return (await this.manifest(reference))?.digest ?? null;
  }

  async manifest(reference: string): Promise<PlacedManifest | null> {
    const exchange = await this.ask(
      {
        method: "GET",
        url: this.path(`manifests/${reference}`),
        headers: [...manifestAccept, plain],
        bodyBytesMax: manifestBytesMax,
      },
      { what: reference, statuses: [200, 404] },
    );
    if (exchange.status === 404) return null;
    const said = parseDigest(exchange.headers.get("Docker-Content-Digest") ?? "");
    const expected = parseDigest(reference) ?? said;
    const bytes = exchange.body;
    const digest = digestOf(expected === null ? "sha256" : algorithmOf(expected), bytes);
    if (expected !== null && digest !== expected) {
      throw new TransferError(
        `${this.label}: ${reference} came with other bytes than those of ${expected}`,
      );
    }
    return { digest, mediaType: mediaTypeOf(exchange.headers, bytes), bytes };
  }

  path(rest: string): string {
    return `/v2/${this.repository}/${rest}`;
  }

  /** What an answer that was not expected means, in one line. */
  refused(answer: Exchange | OpenExchange, what: string): TransferError {
    const { status, headers } = answer;
    const said = "body" in answer && answer.body instanceof Uint8Array ? saidIn(answer.body) : null;
    const why = said === null ? "" : `: ${said}`;
    const login = this.client.exchanger.auth.hasLogin;
    const advice =
      status === 401 || (status === 403 && !login)
        ? login
          ? "; the login is refused, or may not do that"
          : "; it needs a login, or there is no such repository"
        : "";
    return new TransferError(
      `${this.label}: ${what}: the registry answered ${status}${why}${advice}`,
      {
        isPassing: passingStatuses.has(status),
        retryAfterMs: retryAfterOf(headers, this.retries.clock.now()),
      },
    );
  }
}

/** Of what came: the header, or the member of the body where the header says nothing. */
function mediaTypeOf(headers: HeaderLines, bytes: Uint8Array): string {
  const header = headers.get("Content-Type") ?? "";
  const essence = essenceOf(header);
  const isVague = essence === "" || essence === mediaTypes.json || essence === "text/plain";
  if (!isVague && essence !== mediaTypes.octetStream) return essence;
  const parsed = parseStrictJson(bytes, { depthMax: 64 });
  const own = "value" in parsed && isJsonObject(parsed.value) ? parsed.value["mediaType"] : null;
  return typeof own === "string" ? own : essence;
}

/** The first error of a body, if it is one of the specification's. */
function saidIn(body: Uint8Array): string | null {
  const parsed = parseStrictJson(body.subarray(0, MiB), { depthMax: 32 });
  if (!("value" in parsed) || !isJsonObject(parsed.value)) return null;
  const errors = parsed.value["errors"];
  const first: unknown = Array.isArray(errors) ? errors[0] : null;
  if (!isJsonObject(first)) return null;
  const { code, message } = first;
  const parts = [code, message].filter((part): part is string => typeof part === "string");
  return parts.length === 0 ? null : parts.join(" ").slice(0, 300);
}

/** `Retry-After`, in seconds or as a date. */
function retryAfterOf(headers: HeaderLines, nowMs: number): number | null {
  const value = headers.get("Retry-After");
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
