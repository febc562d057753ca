/**
 * Requests as S3 wants them: signed (Signature Version 4), for the region and host that the bucket is at, by the clock of
 * the store, with keys that are fetched again before they end.
 */
import { AwsV4Signer } from "aws4fetch";
import type { Clock } from "../../../lib/clock.ts";
import type { AwsKeys } from "../../../lib/cloud/aws_keys.ts";
import type { KeptSecret } from "../../../lib/cloud/kept_secret.ts";
import { loginOf } from "../http/login_of.ts";
import type {
  Lesson,
  SignedRequest,
  StoreAnswer,
  StoreDialect,
  StoreRequest,
  Verdict,
} from "../http/store_dialect.ts";
import { StoreClock } from "../http/store_clock.ts";
import { elementText } from "../http/xml_text.ts";
import { encodeStrictly } from "../object_key.ts";
import type { SignedUrl } from "../object_store.ts";
import type { S3Place } from "./s3_place.ts";
import { verdictOf } from "./s3_verdicts.ts";

/** A body is hashed up to here, so that the store refuses it where it was damaged on its way. */
const hashedBytesMax = 8 * 1024 * 1024;

export interface DialectParts {
  readonly place: S3Place;
  readonly region: string;
  readonly keys: KeptSecret<AwsKeys>;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Where clients are sent to, if that is another name. */
  readonly redirectEndpoint: string | null;
  readonly report: (line: string) => void;
}

export class S3Dialect implements StoreDialect {
  readonly store = "s3";
  readonly name: string;
  readonly #parts: DialectParts;
  /** Signing keys by day, of aws4fetch. */
  #cache = new Map<string, ArrayBuffer>();
  #region: string;
  /** Where a redirect led to, for the request that is tried again. */
  #elsewhere = new WeakMap<StoreRequest, string>();
  readonly #clock: StoreClock;

  constructor(parts: DialectParts) {
    this.#parts = parts;
    this.#region = parts.region;
    this.#clock = new StoreClock(parts.clock, parts.report);
    this.name = `s3 bucket ${parts.place.bucket} at ${parts.place.endpoint(parts.region)}`;
  }

  async sign(request: StoreRequest, lessons: ReadonlySet<Lesson>): Promise<SignedRequest> {
    const { place, userAgent } = this.#parts;
    const url = this.#elsewhere.get(request) ?? this.#urlOf(request, place.endpoint(this.#region));
    const headers = new Headers(request.headers);
    headers.set("User-Agent", userAgent);
    headers.set("X-Amz-Content-Sha256", hashOf(request));
    const { method } = request.operation;
    const keys = await this.#keys(lessons.has("login"));
    const signed = await this.#signer({ method, url, headers }, keys).sign();
    signed.headers.delete("host");
    return { url, headers: signed.headers };
  }

  /** A URL for GET that needs no keys. */
  async signUrl(key: string, { seconds, contentType }: SignedUrl): Promise<string> {
    const { place, redirectEndpoint } = this.#parts;
    const url = new URL(place.url(redirectEndpoint ?? place.endpoint(this.#region), key));
    url.searchParams.set("X-Amz-Expires", String(seconds));
    url.searchParams.set("response-content-type", contentType);
    const keys = await this.#keys(false);
    const signer = this.#signer({ method: "GET", url: url.href, signQuery: true }, keys);
    const { url: signed } = await signer.sign();
    return signed.href.replaceAll("+", "%20");
  }

  verdict(request: StoreRequest, answer: StoreAnswer): Verdict {
    this.#clock.see(answer.headers, this.name);
    const verdict = verdictOf(request, answer);
    if (verdict.kind !== "learned" || verdict.what !== "place") return verdict;
    return this.#learnPlace(request, answer) ? verdict : { kind: "refused", says: verdict.says };
  }

  #signer(
    request: Partial<ConstructorParameters<typeof AwsV4Signer>[0]> & { url: string },
    keys: AwsKeys,
  ) {
    const now = new Date(this.#clock.now());
    return new AwsV4Signer({
      ...request,
      ...keys,
      service: "s3",
      region: this.#region,
      cache: this.#cache,
      datetime: now.toISOString().replace(/[:-]|\.\d{3}/g, ""),
    });
  }

  async #keys(anew: boolean): Promise<AwsKeys> {
    return await loginOf(this.#parts.keys, anew, this.name);
  }

  #urlOf({ key, query = {} }: StoreRequest, endpoint: string): string {
    const url = this.#parts.place.url(endpoint, key);
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeStrictly(value)}`);
    return pairs.length === 0 ? url : `${url}?${pairs.join("&")}`;
  }

  /** Whether the answer tells another region or host. */
  #learnPlace(request: StoreRequest, { headers, text }: StoreAnswer): boolean {
    const region =
      headers.get("x-amz-bucket-region") ?? elementText(text, "Region") ?? this.#region;
    const isOther = region !== this.#region && /^[a-z0-9-]{1,64}$/.test(region);
    if (isOther) this.#region = region;
    const from = new URL(this.#urlOf(request, this.#parts.place.endpoint(this.#region)));
    const location = headers.get("Location");
    if (location === null || !URL.canParse(location, from.href)) return isOther;
    const to = new URL(location, from.href);
    // Bytes are not sent in the clear because an answer says so.
    if (to.protocol !== from.protocol) return isOther;
    this.#elsewhere.set(request, to.href);
    return true;
  }
}

function hashOf({ body }: StoreRequest): string {
  const isHashed = body === undefined || (!(body instanceof Blob) && body.length <= hashedBytesMax);
  if (!isHashed) return "UNSIGNED-PAYLOAD";
  return new Bun.CryptoHasher("sha256").update(body ?? "").digest("hex");
}
