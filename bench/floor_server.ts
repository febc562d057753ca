// The two floors for an upload, as a program that takes a request at a time on a bare socket.
//
// PUT takes a body over loopback HTTP, hashes it and writes it once. `GET /copy?bytes=N` reads a file of N bytes, hashes
// it and writes it to another, with no body at all. There are no routes, no checks but the digest, and one buffer's work
// per read: what is left when everything that makes a registry is taken away. Usage: floor_server.ts PORT DIRECTORY.

import { closeSync, existsSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CryptoHasher, type Socket } from "bun";
import { must } from "../src/lib/assert.ts";
import { KiB } from "../src/lib/bytes.ts";

/** The size that measured cheapest: larger falls out of the processor's cache, smaller is more calls. */
const copyBufferBytes = 256 * KiB;

interface Upload {
  readonly path: string;
  readonly file: number;
  readonly hasher: CryptoHasher;
  readonly digest: string;
  left: number;
}

const [, , port, directory] = process.argv;
const folder = must(directory, "a directory is given");
const uploads = new Map<Socket, Upload>();
let count = 0;

Bun.listen({
  hostname: "127.0.0.1",
  port: Number(port),
  socket: {
    data(socket, chunk) {
      const upload = uploads.get(socket);
      if (upload === undefined) begin(socket, chunk);
      else append(socket, upload, chunk);
    },
    close: (socket) => {
      uploads.delete(socket);
    },
  },
});

/** A request's head comes in one piece from our client; GET and POST have no body. */
function begin(socket: Socket, chunk: Buffer): void {
  const end = chunk.indexOf("\r\n\r\n");
  const head = chunk.toString("latin1", 0, end);
  const copied = /^GET \/copy\?bytes=(\d+) /.exec(head)?.[1];
  if (copied !== undefined) copy(Number(copied));
  if (head.startsWith("GET ")) return answer(socket, "200 OK");
  if (head.startsWith("POST ")) return answer(socket, "202 Accepted", "Location: /upload");
  const path = join(folder, String(count++));
  const upload: Upload = {
    path,
    file: openSync(path, "w"),
    hasher: new CryptoHasher("sha256"),
    digest: /digest=sha256(?::|%3A)([0-9a-f]{64})/i.exec(head)?.[1] ?? "",
    left: Number(/content-length: (\d+)/i.exec(head)?.[1]),
  };
  uploads.set(socket, upload);
  append(socket, upload, chunk.subarray(end + 4));
}

function append(socket: Socket, upload: Upload, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  upload.hasher.update(bytes);
  for (let at = 0; at < bytes.length;) at += writeSync(upload.file, bytes, at);
  upload.left -= bytes.length;
  if (upload.left > 0) return;
  uploads.delete(socket);
  closeSync(upload.file);
  unlinkSync(upload.path);
  const isRight = upload.hasher.digest("hex") === upload.digest;
  answer(socket, isRight ? "201 Created" : "400 Bad Request");
}

function answer(socket: Socket, status: string, ...headers: readonly string[]): void {
  socket.write(`${[`HTTP/1.1 ${status}`, "Content-Length: 0", ...headers].join("\r\n")}\r\n\r\n`);
}

/** The file is written by the first request; reading it then comes from the page cache, as a socket from memory. */
function copy(bytes: number): void {
  const [source, target] = [join(folder, `source-${bytes}`), join(folder, "target")];
  if (!existsSync(source)) makeFile(source, bytes);
  const [from, to] = [openSync(source, "r"), openSync(target, "w")];
  const buffer = Buffer.allocUnsafeSlow(copyBufferBytes);
  const hasher = new CryptoHasher("sha256");
  for (;;) {
    const length = readSync(from, buffer, 0, buffer.length, null);
    if (length === 0) break;
    const part = buffer.subarray(0, length);
    hasher.update(part);
    writeSync(to, part);
  }
  hasher.digest("hex");
  closeSync(from);
  closeSync(to);
  unlinkSync(target);
}

function makeFile(path: string, bytes: number): void {
  const part = crypto.getRandomValues(Buffer.alloc(64 * KiB));
  const file = openSync(path, "w");
  for (let left = bytes; left > 0; left -= part.length) {
    writeSync(file, part, 0, Math.min(left, part.length));
  }
  closeSync(file);
}
