// Azurite as Azure Blob Storage: it checks signatures of requests and URLs, and with TLS also what tokens say.
//
// It comes from npm (`.ci/run` keeps it between runs), apart from this package's own dependencies: it brings hundreds.

import { join } from "node:path";
import { sharedKey } from "../../src/storage/objects/azure/shared_key.ts";
import { TestAuthority } from "../certificates.ts";
import { eventually, startService } from "../processes.ts";
import { freePort, tempDirectory } from "../temp.ts";

export interface Azurite extends AsyncDisposable {
  /** Of the account: a serviceurl. */
  readonly url: string;
  readonly account: string;
  readonly key: string;
  /** It is there already. */
  readonly container: string;
  /** Of its certificate. */
  readonly caFile: string;
}

/** Whether it is here; says so where it is not. */
export function hasAzurite(): boolean {
  if (Bun.which("azurite-blob") !== null) return true;
  console.log("skipped: not installed: azurite-blob (npm, see test/objects/azurite.ts)");
  return false;
}

export async function startAzurite(): Promise<Azurite> {
  const directory = await tempDirectory("azurite");
  const authority = await TestAuthority.make(directory.path);
  const certificate = await authority.issue("azurite", { names: ["IP:127.0.0.1"] });
  const port = await freePort();
  const account = "registry";
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString("base64");
  const service = startService(
    [
      "azurite-blob",
      "--blobHost=127.0.0.1",
      `--blobPort=${port}`,
      `--location=${join(directory.path, "data")}`,
      "--inMemoryPersistence",
      "--silent",
      "--disableTelemetry",
      "--oauth=basic",
      `--cert=${certificate.cert}`,
      `--key=${certificate.key}`,
    ].filter((word) => !word.startsWith("--location")),
    { env: { AZURITE_ACCOUNTS: `${account}:${key}` } },
  );
  const url = `https://127.0.0.1:${port}/${account}`;
  const container = "images";
  const ca = await Bun.file(authority.cert).text();
  await eventually("azurite answers", async () => {
    if (!service.running()) {
      throw new Error(`azurite ended:\n${[...service.stdout(), ...service.stderr()].join("\n")}`);
    }
    const made = new URL(`${url}/${container}?restype=container`);
    const headers = new Headers({
      "x-ms-version": "2022-11-02",
      "x-ms-date": new Date().toUTCString(),
    });
    headers.set("Content-Length", "0");
    headers.set("Authorization", sharedKey("PUT", made, headers, { account, key }));
    const answer = await fetch(made, { method: "PUT", headers, tls: { ca } }).catch(() => null);
    return answer?.status === 201 || answer?.status === 409;
  });
  return {
    url,
    account,
    key,
    container,
    caFile: authority.cert,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
