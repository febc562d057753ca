// What a person reads at the start, for each way to be reached and known.

import { describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { TestAuthority } from "../../test/certificates.ts";
import { requireTool } from "../../test/harness.ts";
import { tempDirectory } from "../../test/temp.ts";
import { checkConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { announcement, whereabouts } from "./announce.ts";

function configOf(http: object): Config {
  const loaded = checkConfig({ http, storage: { rootDirectory: "/images" } });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  return loaded.config;
}

function announced(http: object, url: string, certificate: string | null = null): string {
  const config = configOf(http);
  return announcement(config, whereabouts(config, url, certificate));
}

const auth = { htpasswd: { path: "/users" } };
const tls = { cert: "/cert", key: "/key" };

describe("the announcement", () => {
  test("of this machine only: nothing to do first", () => {
    const text = announced({}, "http://127.0.0.1:8080");
    expect(text).toContain("zot is serving http://127.0.0.1:8080, from /images\n");
    expect(text).toContain("skopeo copy --dest-tls-verify=false docker://");
    expect(text).toContain(" docker push 127.0.0.1:8080/alpine\n");
    expect(text).not.toMatch(/login|insecure|Reach it/);
  });

  test("of a mirror: that clients have to be told", () => {
    const loaded = checkConfig({ extensions: { sync: { mirrors: ["docker.io", "ghcr.io"] } } });
    if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
    const places = whereabouts(loaded.config, "http://127.0.0.1:8080", null);
    expect(announcement(loaded.config, places)).toContain(
      "Pull docker.io, ghcr.io through it; what each client has to be told:\n    zot mirror --server http://127.0.0.1:8080\n",
    );
    expect(announced({}, "http://127.0.0.1:8080")).not.toContain("zot mirror");
  });

  test("with a login: the login comes first", () => {
    const text = announced({ auth }, "http://127.0.0.1:8080");
    expect(text.indexOf("docker login 127.0.0.1:8080\n")).toBeGreaterThan(0);
    expect(text.indexOf("docker login")).toBeLessThan(text.indexOf("docker push"));
    expect(text).toContain("podman login --tls-verify=false 127.0.0.1:8080\n");
  });

  test("of another address without TLS: docker must be told", () => {
    const text = announced({ address: "192.0.2.9" }, "http://192.0.2.9:5000");
    expect(text).toContain('docker needs "192.0.2.9:5000" in its insecure-registries');
  });

  test("behind a proxy: its URL, as clients know it", () => {
    const externalUrl = "https://registry.example.com";
    const text = announced({ address: "192.0.2.9", auth, externalUrl }, "http://192.0.2.9:5000");
    expect(text).toContain("docker login registry.example.com\n");
    expect(text).not.toContain("tls-verify=false");
  });

  test("with certificates of clients: that they are asked for", () => {
    const http = { tls: { ...tls, cacert: "/authorities" } };
    expect(announced(http, "https://127.0.0.1:8443")).toContain("Clients show a certificate");
  });

  test.skipIf(!requireTool("openssl"))(
    "with TLS: the names that the certificate is for",
    async () => {
      await using directory = await tempDirectory();
      const authority = await TestAuthority.make(directory.path);
      const names = [
        "DNS:registry.example.com",
        "DNS:*.example.com",
        "IP:192.0.2.9",
        "IP:127.0.0.1",
      ];
      await authority.issue("server", { names });
      const pem = await readFile(join(directory.path, "server.crt"), "utf8");
      const config = configOf({ tls, address: "0.0.0.0" });
      expect(whereabouts(config, "https://127.0.0.1:8443", pem).outsideUrls).toEqual([
        "https://registry.example.com:8443",
        "https://192.0.2.9:8443",
      ]);
      const text = announced({ tls, auth, address: "0.0.0.0" }, "https://127.0.0.1:8443", pem);
      expect(text).toContain("every interface, port 8443");
      expect(text).toContain("docker login registry.example.com:8443\n");
      expect(text).not.toContain("tls-verify=false");
    },
  );
});
