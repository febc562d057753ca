// dist/SHA256SUMS: a line for each file that was built, in the form that `sha256sum --check` reads.

import { rm } from "node:fs/promises";
import { join } from "node:path";

/** Lists what lies in the directory, and removes what a build left unfinished. */
export async function writeChecksums(directory: string): Promise<void> {
  const lines: string[] = [];
  for (const name of [...new Bun.Glob("zot*").scanSync(directory)].sort()) {
    if (name.endsWith(".unfinished")) await rm(join(directory, name));
    else lines.push(`${await sha256(join(directory, name))}  ${name}`);
  }
  await Bun.write(join(directory, "SHA256SUMS"), `${lines.join("\n")}\n`);
}

async function sha256(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}
