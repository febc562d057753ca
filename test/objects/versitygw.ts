// versitygw as a strict store that speaks as S3 does: it checks signatures, hashes and the rules of parts.
//
// It comes by `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0` (`.ci/run` keeps it between runs).

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { eventually, startService } from "../processes.ts";
import { freePort, tempDirectory } from "../temp.ts";

export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Where its buckets lie, as directories. */
  readonly directory: string;
  /** It has one bucket already. */
  readonly bucket: string;
}

/** Whether it is here; says so where it is not. */
export function hasVersitygw(): boolean {
  if (Bun.which("versitygw") !== null) return true;
  console.log("skipped: not installed: versitygw (go install, see test/objects/versitygw.ts)");
  return false;
}

export async function startVersitygw(): Promise<Gateway> {
  const directory = await tempDirectory("versitygw");
  const [iam, data, bucket] = [join(directory.path, "iam"), join(directory.path, "data"), "images"];
  await mkdir(iam);
  await mkdir(join(data, bucket), { recursive: true });
  const port = await freePort();
  const keys = { accessKey: "access", secretKey: "a secret for tests".replaceAll(" ", "") };
  const service = startService(
    ["versitygw", "--port", `127.0.0.1:${port}`, "--iam-dir", iam, "posix", data],
    { env: { ROOT_ACCESS_KEY: keys.accessKey, ROOT_SECRET_KEY: keys.secretKey } },
  );
  const url = `http://127.0.0.1:${port}`;
  await eventually("versitygw answers", async () => {
    if (!service.running()) throw new Error(`versitygw ended:\n${service.stderr().join("\n")}`);
    return (await fetch(url).catch(() => null)) !== null;
  });
  return {
    url,
    ...keys,
    directory: data,
    bucket,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
