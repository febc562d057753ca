// `zot scrub forget DIGEST`: removes for good what a running server keeps of damaged content.

import { formatBytes } from "../lib/bytes.ts";
import { parseDigest } from "../oci/digest.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import { wantsJson, withServer } from "./server_given.ts";

/** Runs the command. Returns the exit status. @throws Mistake. */
export async function forgetCommand(given: Given, output: Output): Promise<number> {
  const digest = given.arguments["digest"] ?? "";
  if (parseDigest(digest) === null) {
    throw new Mistake(`expected a digest, as zot scrub status tells it; got '${digest}'`);
  }
  const json = wantsJson(given);
  return await withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      const answer = await server.ask("DELETE", `/v2/_zot/scrub/kept/${digest}`);
      const { files, bytes } = answer as { readonly files: number; readonly bytes: number };
      const told = `removed ${files} files, ${formatBytes(bytes)}, that were kept of ${digest}\n`;
      output.out(json ? `${JSON.stringify(answer, null, 2)}\n` : told);
      return 0;
    },
  });
}
