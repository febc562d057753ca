// Every kind of listener keeps the same contract: plain HTTP, TLS, and TLS with client certificates.

import { afterAll, beforeAll } from "bun:test";
import { readFileSync } from "node:fs";
import { listen } from "../../src/http/listen.ts";
import { listenMutualTls } from "../../src/http/listen_mutual_tls.ts";
import { checkTls, readTlsFiles, type TlsMaterial } from "../../src/http/tls_material.ts";
import { TestAuthority } from "../certificates.ts";
import { listenerContract } from "../contracts/listener.ts";
import { requireTool } from "../processes.ts";
import { type TempDirectory, tempDirectory } from "../temp.ts";

const base = { address: "127.0.0.1", port: 0, sharePort: false };
const hasOpenssl = requireTool("openssl");

let directory: TempDirectory;
let tls: TlsMaterial;
let ca = "";
let client = { cert: "", key: "" };

beforeAll(async () => {
  if (!hasOpenssl) return;
  directory = await tempDirectory("zot-listeners");
  const authority = await TestAuthority.make(directory.path);
  const server = await authority.issue("server", { names: ["IP:127.0.0.1"] });
  const alice = await authority.issue("alice");
  const paths = { ...server, cacert: authority.cert };
  tls = checkTls(await readTlsFiles(paths), Date.now()).material;
  ca = readFileSync(authority.cert, "utf8");
  client = { cert: readFileSync(alice.cert, "utf8"), key: readFileSync(alice.key, "utf8") };
});
afterAll(() => directory?.[Symbol.asyncDispose]());

listenerContract("plain HTTP", {
  open: (options) => listen({ ...base, ...options }),
  tls: () => null,
});

if (hasOpenssl) {
  listenerContract("TLS", {
    open: (options) => listen({ ...base, ...options, tls: { ...tls, ca: null } }),
    tls: () => ({ ca }),
  });
  listenerContract("TLS with client certificates", {
    // Hundreds that begin at once share this process with the server.
    open: (options) => listenMutualTls({ ...base, ...options, tls, handshakeMs: 60_000 }),
    tls: () => ({ ca, ...client }),
  });
}
