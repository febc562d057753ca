// The other floor for an upload: a program that takes a body over loopback HTTP, hashes it and writes it once.
//
// It has no routes, no checks but the digest, and one buffer's work per read, on a bare socket: what is left when
// everything that makes a registry is taken away. Usage: floor_server.ts PORT DIRECTORY.

import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CryptoHasher, type Socket } from "bun";
import { must } from "../src/lib/assert.ts";

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

/** A request's head comes in one piece from our load generator; GET and POST have no body. */
function begin(socket: Socket, chunk: Buffer): void {
  const end = chunk.indexOf("\r\n\r\n");
  const head = chunk.toString("latin1", 0, end);
  if (head.startsWith("GET ")) return answer(socket, "200 OK");
  if (head.startsWith("POST ")) return answer(socket, "202 Accepted", "Location: /upload");
  const path = join(folder, String(count++));
  const upload: Upload = {
    path,
    file: openSync(path, "w"),
    hasher: new CryptoHasher("sha256"),
    digest: /digest=sha256:([0-9a-f]{64})/.exec(head)?.[1] ?? "",
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
