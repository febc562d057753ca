/**
 * Builds the interface from `src/ui` in a checkout: one script, one style, one page, compressed as much as it goes.
 */
import { basename, relative, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { InterfacePack, PackedFile } from "./pack_shape.ts";

const types: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** @throws what the bundler says of a mistake in the sources. */
export async function buildInterface(
  entry: string,
  root: string,
  digestOf: (paths: readonly string[]) => Promise<string | null>,
): Promise<InterfacePack> {
  const result = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    format: "esm",
    minify: true,
    metafile: true,
  });
  if (!result.success) throw new AggregateError(result.logs, "the interface cannot be built");
  const files: Record<string, PackedFile> = {};
  let html = "";
  for (const output of result.outputs) {
    const bytes = new Uint8Array(await output.arrayBuffer());
    const name = basename(output.path);
    if (name.endsWith(".html")) html = new TextDecoder().decode(bytes);
    else files[name] = packedFile(name, bytes);
  }
  const own = Object.keys(result.metafile?.inputs ?? {})
    .map((path) => relative(root, resolve(path)))
    .filter((path) => path.startsWith("src/"));
  const inputs = [...new Set([...own, relative(root, entry)])].toSorted();
  return { inputs, inputsDigest: (await digestOf(inputs)) ?? "", html: withAssets(html), files };
}

function packedFile(name: string, bytes: Uint8Array): PackedFile {
  const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = constants;
  const br = brotliCompressSync(bytes, {
    params: { [BROTLI_PARAM_QUALITY]: 11, [BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  const extension = name.slice(name.lastIndexOf(".") + 1);
  return {
    type: types[extension] ?? "application/octet-stream",
    br: br.toString("base64"),
    gzip: gzipSync(bytes, { level: 9 }).toString("base64"),
  };
}

/** The page names its files from `<base>`: those with a name of their content are below `assets/`. */
function withAssets(html: string): string {
  return html.replace(/(src|href)="\.\/([\w.-]+\.(?:js|css|svg))"/g, '$1="assets/$2"');
}
