/**
 * Builds the web interface from `src/ui`, unless it was built from these sources already.
 *
 * `npm ci` runs it, and so do `npm pack` and `npm run build`, which must have it (`--required`). What an installation
 * cannot build costs the pages and nothing else: the server then shows a plain page at `/`. `--sizes` tells what it
 * weighs.
 */
import { makePack, readPack } from "../src/extensions/ui/interface_pack.ts";

try {
  const pack = (await readPack()) ?? (await makePack());
  const weights = Object.values(pack.files).map(({ br }) => Buffer.byteLength(br, "base64"));
  const kilobytes = weights.reduce((sum, size) => sum + size, 0) / 1000;
  if (process.argv.includes("--sizes"))
    console.log(`the interface: ${kilobytes.toFixed(1)} kB compressed`);
} catch (error) {
  const said =
    error instanceof AggregateError ? error.errors.map(String).join("\n") : String(error);
  console.error(`zot: the web interface was not built (${said})`);
  if (process.argv.includes("--required")) process.exitCode = 1;
}
