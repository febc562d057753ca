/**
 * What is counted of every answered request. This is on the way of each: additions to fixed places, and no text is
 * made.
 *
 * No request adds a series. A repository gets a name here only when its content was sent or taken, so that a client
 * cannot use up the names by asking for repositories that do not exist.
 */
import type { BodyPolicy } from "../../http/endpoint.ts";
import type { AccessRecord } from "../../http/dispatch.ts";
import type { MetricRegion } from "../../lib/metrics/metric_page.ts";
import { apiErrors } from "../../oci/errors.ts";
import { noRepository, repositorySlots, type MetricShape } from "./metric_shape.ts";
import { codes, methods, uploadEvents, type UploadEvent } from "./table.ts";

export interface CountedRow {
  readonly name: string;
  readonly body: BodyPolicy;
}

/** What an answer of a row means for uploads. */
const uploadEventOf: Readonly<Record<string, UploadEvent>> = {
  "upload.start 202": "started",
  "blob.mount 202": "started",
  "blob.mount 201": "mounted",
  "blob.post 201": "single",
  "upload.finish 201": "finished",
  "upload.cancel 204": "cancelled",
};
/** Rows whose success proves that the repository holds something. */
const naming = new Set(["manifest.get", "manifest.put", "blob.get"]);
/** The row of requests that no row answered. */
export const noRow = "none";

export class RequestMetrics {
  readonly #region: MetricRegion;
  readonly #shape: MetricShape;
  readonly #methods = new Map<string, number>(methods.map((name, at) => [name, at]));
  readonly #codes: readonly number[];
  readonly #rows: ReadonlyMap<string, { readonly at: number; readonly takesBody: boolean }>;
  readonly #apiErrors = new Map(Object.keys(apiErrors).map((name, at) => [name, at]));
  readonly #none: number | null;

  /** `rows` are those that the labels of the shape name, in the same order. */
  constructor(region: MetricRegion, shape: MetricShape, rows: readonly CountedRow[]) {
    this.#region = region;
    this.#shape = shape;
    const other = codes.length - 1;
    this.#codes = Array.from({ length: 600 }, (_, code) => {
      const at = codes.indexOf(String(code));
      return at === -1 ? other : at;
    });
    this.#rows = new Map(
      rows.map(({ name, body }, at) => [name, { at, takesBody: body !== "none" }]),
    );
    this.#none = shape.page.namesMax === 0 ? null : region.nameOf(noRepository, true);
  }

  count(record: AccessRecord): void {
    const { method, status, what, bytes, reason } = record;
    const seconds = record.durationMs / 1000;
    const { placed } = this.#shape;
    const region = this.#region;
    const methodAt = this.#methods.get(method) ?? methods.length - 1;
    const row = this.#rows.get(what) ?? this.#rows.get(noRow);
    const rowAt = row?.at ?? 0;
    const { buckets = [] } = placed.methodSeconds.metric;
    const codeAt = this.#codes[status] ?? codes.length - 1;
    region.add(placed.requests.at(methodAt, codeAt));
    region.add(placed.endpointRequests.at(rowAt, codeAt));
    region.observe(placed.methodSeconds.at(methodAt), buckets, seconds);
    region.observe(placed.endpointSeconds.at(rowAt), buckets, seconds);
    if (bytes > 0 && method !== "HEAD") {
      const direction = row?.takesBody === true ? placed.receivedBytes : placed.sentBytes;
      region.add(direction.at(rowAt), bytes);
    }
    if (reason !== undefined) {
      region.add(placed.apiErrors.at(this.#apiErrors.get(reason) ?? 0));
    }
    if (method !== "GET" && method !== "HEAD") this.#countUpload(what, status);
    if (this.#none !== null) this.#countRepository(record, seconds);
  }

  #countUpload(what: string, status: number): void {
    const event = uploadEventOf[`${what} ${status}`];
    if (event === undefined) return;
    this.#region.add(this.#shape.placed.uploads.at(uploadEvents.indexOf(event)));
  }

  #countRepository({ repository, what, method, status }: AccessRecord, seconds: number): void {
    const region = this.#region;
    const granted = status < 300;
    const name =
      repository === null ? this.#none : region.nameOf(repository, granted && naming.has(what));
    region.addNamed(name, repositorySlots.count);
    region.addNamed(name, repositorySlots.seconds, seconds);
    if (!granted) return;
    if (what === "manifest.put") region.addNamed(name, repositorySlots.uploads);
    if (what === "manifest.get" && method === "GET") {
      region.addNamed(name, repositorySlots.downloads);
    }
  }
}
