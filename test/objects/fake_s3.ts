// A store that speaks as S3 does, in this process, with faults on demand: what it is asked is counted.
//
// It knows the operations that the driver uses, their errors, and the rules of parts. Signatures are looked at no
// further than whose key it is and when it was made; versitygw is the judge of the rest.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type FakeOperation =
  | "put"
  | "get"
  | "head"
  | "remove"
  | "create"
  | "part"
  | "complete"
  | "abort"
  | "list"
  | "unfinished"
  | "bucket";

/**
 * What happens in place of an answer. `cut`: only so many bytes of the body come; `slow`: it comes at so many bytes a
 * second; `late`: all is done, and the answer comes after a while; `silent`: nothing comes.
 */
export type Fault =
  | { readonly status: number; readonly code?: string; readonly headers?: Record<string, string> }
  | { readonly done: true; readonly status: number; readonly code: string }
  | { readonly cut: number }
  | { readonly stall: number }
  | { readonly slow: number }
  | { readonly late: number }
  | { readonly reset: true }
  | { readonly silent: true };

export interface Asked {
  readonly operation: FakeOperation;
  readonly key: string;
  readonly headers: IncomingMessage["headers"];
  readonly url: string;
  /** Of this operation, from 1 on. */
  readonly count: number;
}

const partBytesMin = 5 * 1024 * 1024;
const pageEntriesMax = 1_000;

export class FakeS3 implements AsyncDisposable {
  readonly objects = new Map<
    string,
    { bytes: Buffer; changed: Date; headers: IncomingMessage["headers"] }
  >();
  readonly uploads = new Map<string, { key: string; started: Date; parts: Map<number, Buffer> }>();
  readonly asked: Asked[] = [];
  /** The clock of the store, ahead of ours. */
  aheadMs = 0;
  /** Access keys that are let in. */
  accessKeys = new Set(["fake"]);
  bucket = "bucket";
  /** What the bucket says about itself, by query. */
  readonly answers = new Map<string, string>();
  fault: (asked: Asked) => Fault | null = () => null;
  /** How long an answer takes. */
  pauseMs: (asked: Asked) => number = () => 0;
  /** Whether `asked` grows; counts do in any case. */
  remembers = true;
  readonly #counts = new Map<FakeOperation, number>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #serial = 0;

  static async start(): Promise<FakeS3> {
    const fake = new FakeS3();
    await new Promise<void>((listening) => fake.#server.listen(0, "127.0.0.1", listening));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  count(operation: FakeOperation): number {
    if (!this.remembers) return this.#counts.get(operation) ?? 0;
    return this.asked.filter((each) => each.operation === operation).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const body = await bodyOf(request);
    if (body === null) return;
    const [, bucket = "", ...rest] = url.pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    const operation = operationOf(request.method ?? "GET", key, url.searchParams);
    const asked: Asked = {
      operation,
      key,
      headers: request.headers,
      url: request.url ?? "",
      count: this.count(operation) + 1,
    };
    this.#counts.set(operation, asked.count);
    if (this.remembers) this.asked.push(asked);
    const pauseMs = this.pauseMs(asked);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const send = (status: number, text: string | Buffer, headers: Record<string, string> = {}) => {
      const bytes = Buffer.from(text as string);
      response.writeHead(status, {
        Date: new Date(Date.now() + this.aheadMs).toUTCString(),
        "Content-Length": String(bytes.length),
        ...headers,
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
    };
    const refuse = (status: number, code: string, headers?: Record<string, string>): void =>
      send(status, `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, headers);
    const fault = this.fault(asked);
    if (fault !== null && "silent" in fault) return;
    if (fault !== null && "late" in fault) await Bun.sleep(fault.late);
    if (fault !== null && "reset" in fault) {
      // A response that is destroyed before its head may be sent as an empty 200.
      request.socket.destroy();
      return;
    }
    if (fault !== null && "status" in fault && !("done" in fault)) {
      return refuse(fault.status, fault.code ?? "", fault.headers);
    }
    const problem = this.#problemOf(request, url, body);
    if (problem !== null) return refuse(403, problem);
    if (bucket !== this.bucket) return refuse(404, "NoSuchBucket");
    if (fault !== null && "done" in fault) {
      this.#carryOut(
        asked,
        url.searchParams,
        body,
        () => {},
        () => {},
      );
      return refuse(fault.status, fault.code);
    }
    if (operation === "get") return this.#sendObject(asked, response, send, refuse, fault);
    this.#carryOut(asked, url.searchParams, body, send, refuse);
  }

  #problemOf(request: IncomingMessage, url: URL, body: Buffer): string | null {
    const authorization = request.headers.authorization ?? "";
    const query = url.searchParams;
    const credential =
      /Credential=([^/]+)\//.exec(authorization)?.[1] ?? query.get("X-Amz-Credential");
    if (!this.accessKeys.has(credential?.split("/")[0] ?? "")) return "InvalidAccessKeyId";
    const date = String(request.headers["x-amz-date"] ?? query.get("X-Amz-Date"));
    const signedMs = Date.parse(
      date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
    );
    if (Math.abs(signedMs - Date.now() - this.aheadMs) > 15 * 60_000) return "RequestTimeTooSkewed";
    const hash = request.headers["x-amz-content-sha256"] ?? "UNSIGNED-PAYLOAD";
    const own = createHash("sha256").update(body).digest("hex");
    return hash === "UNSIGNED-PAYLOAD" || hash === own ? null : "XAmzContentSHA256Mismatch";
  }

  #carryOut(
    { operation, key, headers }: Asked,
    query: URLSearchParams,
    body: Buffer,
    send: (status: number, text: string, headers?: Record<string, string>) => void,
    refuse: (status: number, code: string) => void,
  ): void {
    const object = this.objects.get(key);
    const upload = this.uploads.get(query.get("uploadId") ?? "");
    switch (operation) {
      case "put":
        this.objects.set(key, { bytes: body, changed: new Date(), headers });
        return send(200, "", { ETag: tagOf(body) });
      case "head":
        if (object === undefined) return refuse(404, "NoSuchKey");
        return send(200, "", { "Content-Length": String(object.bytes.length) });
      case "remove":
        this.objects.delete(key);
        return send(204, "");
      case "create": {
        this.#serial += 1;
        const id = `upload-${this.#serial}`;
        this.uploads.set(id, { key, started: new Date(), parts: new Map() });
        return send(200, `<R xmlns="http://x"><UploadId>${id}</UploadId></R>`);
      }
      case "part":
        if (upload?.key !== key) return refuse(404, "NoSuchUpload");
        upload.parts.set(Number(query.get("partNumber")), body);
        return send(200, "", { ETag: tagOf(body) });
      case "complete":
        if (upload?.key !== key) return refuse(404, "NoSuchUpload");
        return this.#complete(key, query.get("uploadId") ?? "", body.toString(), send, refuse);
      case "abort":
        if (!this.uploads.delete(query.get("uploadId") ?? "")) return refuse(404, "NoSuchUpload");
        return send(204, "");
      case "list":
        return send(200, this.#list(query));
      case "unfinished":
        return send(200, this.#unfinished(query));
      default: {
        const answer = this.answers.get([...query.keys()][0] ?? "");
        return answer === undefined ? refuse(403, "AccessDenied") : send(200, answer);
      }
    }
  }

  #complete(
    key: string,
    id: string,
    list: string,
    send: (status: number, text: string) => void,
    refuse: (status: number, code: string) => void,
  ): void {
    const parts = this.uploads.get(id)?.parts ?? new Map<number, Buffer>();
    const named = [...list.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>(?:&#34;)?(\w+)/g)];
    const bytes = named.map(([, number, tag]) => {
      const part = parts.get(Number(number));
      return part !== undefined && tagOf(part) === `"${tag}"` ? part : null;
    });
    if (bytes.includes(null) || bytes.length !== parts.size) return refuse(400, "InvalidPart");
    const whole = bytes.filter((part) => part !== null);
    if (whole.slice(0, -1).some((part) => part.length < partBytesMin)) {
      return refuse(400, "EntityTooSmall");
    }
    this.objects.set(key, { bytes: Buffer.concat(whole), changed: new Date(), headers: {} });
    this.uploads.delete(id);
    send(200, `<R><Key>${escape(key)}</Key></R>`);
  }

  #list(query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("start-after") ?? "";
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .sort();
    const page = keys.slice(0, pageEntriesMax).map((key) => {
      const { bytes, changed } = this.objects.get(key) ?? { bytes: "", changed: new Date() };
      const written = encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
      return `<Contents><Key>${written}</Key><LastModified>${changed.toISOString()}</LastModified><Size>${bytes.length}</Size></Contents>`;
    });
    return `<ListBucketResult xmlns="http://x"><EncodingType>url</EncodingType><IsTruncated>${keys.length > page.length}</IsTruncated>${page.join("")}</ListBucketResult>`;
  }

  #unfinished(query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? "";
    const place = `${query.get("key-marker") ?? ""} ${query.get("upload-id-marker") ?? ""}`;
    const uploads = [...this.uploads]
      .filter(([id, { key }]) => key.startsWith(prefix) && `${key} ${id}` > place)
      .sort(([one, a], [other, b]) => (`${a.key} ${one}` < `${b.key} ${other}` ? -1 : 1));
    const page = uploads
      .slice(0, pageEntriesMax)
      .map(
        ([id, { key, started }]) =>
          `<Upload><Key>${encodeURIComponent(key)}</Key><UploadId>${id}</UploadId><Initiated>${started.toISOString()}</Initiated></Upload>`,
      );
    return `<ListMultipartUploadsResult xmlns="http://x"><EncodingType>url</EncodingType><IsTruncated>${uploads.length > page.length}</IsTruncated>${page.join("")}</ListMultipartUploadsResult>`;
  }

  #sendObject(
    { key, headers, url }: Asked,
    response: ServerResponse,
    send: (status: number, bytes: Buffer, headers: Record<string, string>) => void,
    refuse: (status: number, code: string) => void,
    fault: Fault | null,
  ): void {
    const bytes = this.objects.get(key)?.bytes;
    if (bytes === undefined) return refuse(404, "NoSuchKey");
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    if (first !== undefined && Number(first) >= bytes.length) return refuse(416, "InvalidRange");
    const wanted = first === undefined ? bytes : bytes.subarray(Number(first), Number(last) + 1);
    const status = first === undefined ? 200 : 206;
    const type = new URL(url, "http://fake").searchParams.get("response-content-type");
    const named = { "Content-Type": type ?? "binary/octet-stream" };
    const isWhole = fault === null || !("cut" in fault || "stall" in fault || "slow" in fault);
    if (isWhole) return send(status, wanted, named);
    response.writeHead(status, { ...named, "Content-Length": String(wanted.length) });
    if ("slow" in fault) return void sendSlowly(response, wanted, fault.slow);
    const sent = "cut" in fault ? fault.cut : fault.stall;
    response.write(wanted.subarray(0, sent), () => {
      if ("cut" in fault) response.socket?.end();
    });
  }
}

/** Ten pieces a second, until the reader goes away. */
async function sendSlowly(response: ServerResponse, bytes: Buffer, perSecond: number) {
  const piece = Math.max(1, Math.floor(perSecond / 10));
  for (let at = 0; at < bytes.length && !response.destroyed; at += piece) {
    response.write(bytes.subarray(at, at + piece));
    await Bun.sleep(100);
  }
  response.end();
}

function operationOf(method: string, key: string, query: URLSearchParams): FakeOperation {
  if (key === "" && query.has("uploads")) return "unfinished";
  if (key === "") return query.has("list-type") ? "list" : "bucket";
  if (method === "POST") return query.has("uploads") ? "create" : "complete";
  if (method === "PUT") return query.has("partNumber") ? "part" : "put";
  if (method === "DELETE") return query.has("uploadId") ? "abort" : "remove";
  return method === "HEAD" ? "head" : "get";
}

/** Null where the sender gave up. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request) parts.push(part as Buffer);
    return Buffer.concat(parts);
  } catch {
    return null;
  }
}

function tagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function escape(text: string): string {
  return text.replace(/[<>&]/g, (each) => `&#${each.charCodeAt(0)};`);
}
