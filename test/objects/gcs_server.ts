// fake-gcs-server as Google Cloud Storage, and a service of tokens for a service account of the test's own.
//
// It comes by `go install github.com/fsouza/fake-gcs-server@v1.56.1` (`.ci/run` keeps it between runs). It looks at no
// token and no signature: those are tested beside.

import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, startService } from "../processes.ts";
import { freePort, tempDirectory } from "../temp.ts";

export interface GcsServer extends AsyncDisposable {
  readonly url: string;
  /** It has one bucket already. */
  readonly bucket: string;
  /** Credentials of a service account, whose tokens come from here. */
  readonly keyFile: string;
}

/** Whether it is here; says so where it is not. */
export function hasGcsServer(): boolean {
  if (Bun.which("fake-gcs-server") !== null) return true;
  console.log(
    "skipped: not installed: fake-gcs-server (go install, see test/objects/gcs_server.ts)",
  );
  return false;
}

export async function startGcsServer(): Promise<GcsServer> {
  const directory = await tempDirectory("gcs");
  const port = await freePort();
  const service = startService([
    "fake-gcs-server",
    "-scheme=http",
    "-backend=memory",
    "-host=127.0.0.1",
    `-port=${port}`,
    `-public-host=127.0.0.1:${port}`,
    "-log-level=error",
  ]);
  const url = `http://127.0.0.1:${port}`;
  const bucket = "images";
  await eventually("fake-gcs-server answers", async () => {
    if (!service.running())
      throw new Error(`fake-gcs-server ended:\n${service.stderr().join("\n")}`);
    const made = await fetch(`${url}/storage/v1/b?project=test`, {
      method: "POST",
      body: JSON.stringify({ name: bucket }),
    }).catch(() => null);
    return made?.ok;
  });
  const tokens = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ access_token: "token", expires_in: 3600, token_type: "Bearer" }),
  });
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keyFile = join(directory.path, "account.json");
  await writeFile(
    keyFile,
    JSON.stringify({
      type: "service_account",
      client_email: "registry@test.iam.gserviceaccount.com",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      token_uri: `http://127.0.0.1:${tokens.port}/token`,
    }),
  );
  return {
    url,
    bucket,
    keyFile,
    [Symbol.asyncDispose]: async () => {
      await tokens.stop(true);
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
