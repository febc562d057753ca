// Reads a root directory and says everything that must not be so after a crash, a power cut or a full disk.
//
//     check_root.ts <root>       prints one line per violation, and exits with 1 when there is one
//
// Independent on purpose: it imports nothing of the registry, knows the layout from the image specification and
// from docs, and looks at nothing but the disk. The server must not be running, or be at rest.
// Every file below every `blobs` is read and hashed. What clients were told is checked by `journal.ts`.

import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly tag: string | null;
}

/** A repository's layout as it lies there: what its index.json lists, as `tag digest`. */
export interface FoundLayout {
  readonly directory: string;
  readonly lines: readonly string[];
}

export interface Findings {
  readonly violations: readonly string[];
  readonly layouts: readonly FoundLayout[];
}

const own = "_zot";
const refName = "org.opencontainers.image.ref.name";
const hexLengths: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** Everything that is wrong below `root`, and what the layouts there list. */
export function checkRoot(root: string): Findings {
  const violations: string[] = [];
  const layouts: FoundLayout[] = [];
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const entries = readdirSync(directory, { withFileTypes: true });
    const names = new Set(entries.map(({ name }) => name));
    const shown = relative(root, directory);
    if (names.has("index.json") || names.has("blobs")) {
      const lines = checkLayout(directory, shown, names, violations);
      if (lines !== null) layouts.push({ directory: shown, lines });
    }
    for (const entry of entries) {
      if (entry.name === "blobs" || (directory === root && entry.name === own)) continue;
      if (entry.isDirectory()) pending.push(join(directory, entry.name));
      else if (!["index.json", "oci-layout"].includes(entry.name) || shown === "") {
        violations.push(`${join(shown, entry.name)}: a file that belongs to no layout`);
      }
    }
  }
  return { violations, layouts };
}

/** The lines of the layout's index.json; null when there is none. */
function checkLayout(
  directory: string,
  shown: string,
  names: ReadonlySet<string>,
  violations: string[],
): string[] | null {
  const blobs = names.has("blobs") ? checkBlobs(join(directory, "blobs"), shown, violations) : null;
  if (names.has("oci-layout")) checkMarker(join(directory, "oci-layout"), shown, violations);
  else violations.push(`${shown}: no oci-layout`);
  if (!names.has("index.json")) return null;
  return checkIndex(join(directory, "index.json"), shown, blobs ?? new Map(), violations);
}

/** Sizes of the good files below `blobs`, by digest. */
function checkBlobs(blobs: string, shown: string, violations: string[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const algorithm of readdirSync(blobs)) {
    for (const hex of readdirSync(join(blobs, algorithm))) {
      const name = `${shown}/blobs/${algorithm}/${hex}`;
      const info = lstatSync(join(blobs, algorithm, hex));
      if (hexLengths[algorithm] !== hex.length || !/^[0-9a-f]+$/.test(hex)) {
        violations.push(`${name}: not the name of a blob`);
      } else if (!info.isFile()) violations.push(`${name}: not a regular file`);
      else {
        const found = hashOf(join(blobs, algorithm, hex), algorithm);
        if (found === hex) sizes.set(`${algorithm}:${hex}`, info.size);
        else violations.push(`${name}: ${info.size} bytes that have another digest`);
      }
    }
  }
  return sizes;
}

function hashOf(path: string, algorithm: string): string {
  return createHash(algorithm).update(readFileSync(path)).digest("hex");
}

function checkMarker(path: string, shown: string, violations: string[]): void {
  const marker = parse(path) as { imageLayoutVersion?: unknown } | null;
  if (marker?.imageLayoutVersion !== "1.0.0") violations.push(`${shown}: oci-layout is broken`);
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

function checkIndex(
  path: string,
  shown: string,
  blobs: ReadonlyMap<string, number>,
  violations: string[],
): string[] {
  const index = parse(path) as { schemaVersion?: unknown; manifests?: unknown } | null;
  if (index?.schemaVersion !== 2 || !Array.isArray(index.manifests)) {
    violations.push(`${shown}/index.json: not an index`);
    return [];
  }
  const tags = new Set<string>();
  return index.manifests.map((listed: unknown) => {
    const descriptor = describe(listed);
    const { tag, digest, size } = descriptor;
    if (tag !== null && tags.has(tag)) violations.push(`${shown}: the tag ${tag} stands twice`);
    if (tag !== null) tags.add(tag);
    const line = `${tag ?? "-"} ${digest}`;
    const found = blobs.get(digest);
    if (found === undefined) violations.push(`${shown}: lists ${line}, whose bytes are not there`);
    else if (found !== size) {
      violations.push(`${shown}: lists ${line} with ${size} of ${found} bytes`);
    } else checkReferences(path, shown, digest, blobs, violations);
    return line;
  });
}

/** What matters of a descriptor; whatever is not as it should be shows as an impossible value. */
function describe(value: unknown): Descriptor {
  const { digest, size, annotations } = (value ?? {}) as Record<string, unknown>;
  const tag = (annotations as Record<string, unknown> | undefined)?.[refName];
  return {
    digest: typeof digest === "string" ? digest : "no digest",
    size: typeof size === "number" ? size : -1,
    tag: typeof tag === "string" ? tag : null,
  };
}

/** What a listed manifest names beside it has to be there too. */
function checkReferences(
  indexPath: string,
  shown: string,
  digest: string,
  blobs: ReadonlyMap<string, number>,
  violations: string[],
): void {
  const [algorithm = "", hex = ""] = digest.split(":");
  const manifest = parse(join(indexPath, "..", "blobs", algorithm, hex)) as {
    config?: unknown;
    layers?: unknown[];
    manifests?: unknown[];
  } | null;
  const { config, layers = [], manifests = [] } = manifest ?? {};
  for (const value of [...(config === undefined ? [] : [config]), ...layers, ...manifests]) {
    const needed = describe(value);
    if (blobs.get(needed.digest) === needed.size) continue;
    violations.push(`${shown}: ${digest} needs ${needed.digest}, which is not there`);
  }
}

if (import.meta.main) {
  const { violations, layouts } = checkRoot(process.argv[2] ?? ".");
  for (const violation of violations) console.log(violation);
  console.log(`${layouts.length} layouts, ${violations.length} violations`);
  process.exit(violations.length === 0 ? 0 : 1);
}
