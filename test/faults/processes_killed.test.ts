// Killed processes, in short; `npm run faults` has the long version. With what the checks must catch.

import { describe, expect, test } from "bun:test";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../processes.ts";
import { tempDirectory } from "../temp.ts";
import { checkRoot } from "./check_root.ts";
import { Journal, sha256 } from "./journal.ts";
import { startLoad } from "./load.ts";
import { killServers, killWorkers } from "./processes_killed.ts";
import { startFaultServer } from "./server_process.ts";

const seed = Number(process.env["ZOT_SEED"] ?? Date.now() % 1_000_000);
const timeoutMs = 60_000;

test(
  "a worker that is killed under load takes nothing acknowledged with it, and is started again",
  async () => {
    console.log(`killed workers: ZOT_SEED=${seed}`);
    const { problems, acknowledged, failures } = await killWorkers({ cycles: 3, seed });
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(100);
    // What was in flight at each of three kills, and what came before the kernel closed the socket.
    expect(failures).toBeLessThanOrEqual(3 * 8 * 2);
  },
  timeoutMs,
);

test(
  "a server that is killed under load serves everything acknowledged at the next start, and index.json becomes exact",
  async () => {
    console.log(`killed servers: ZOT_SEED=${seed}`);
    const { problems, acknowledged } = await killServers({ cycles: 2, seed });
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(50);
  },
  timeoutMs,
);

test(
  "a planted bug is caught: a server that acknowledges before it has committed",
  async () => {
    await using directory = await tempDirectory("zot-kill");
    const journal = new Journal();
    await using server = await startFaultServer(directory.path, "acknowledges-early");
    const load = startLoad({ url: server.url, journal, clients: 8, seed });
    await eventually("manifests were acknowledged", () =>
      journal.repositories.some((name) => journal.required(name, "manifests").length > 0),
    );
    await server.kill();
    await load.stop();
    await using again = await startFaultServer(directory.path);
    expect(await journal.check(again.url)).not.toEqual([]);
  },
  timeoutMs,
);

describe("the checker of a root", () => {
  const bytes = new TextEncoder().encode("layer");
  const digest = sha256(bytes);
  const hex = digest.slice("sha256:".length);
  const entry = { mediaType: "a/b", digest, size: bytes.length };
  const marker = '{"imageLayoutVersion":"1.0.0"}';

  async function layout(root: string): Promise<void> {
    await mkdir(join(root, "_zot/uploads"), { recursive: true });
    await mkdir(join(root, "team/app/blobs/sha256"), { recursive: true });
    await writeFile(join(root, "team/app/blobs/sha256", hex), bytes);
    await writeFile(join(root, "team/app/oci-layout"), marker);
    await writeFile(join(root, "team/app/index.json"), indexOf([entry]));
  }
  const indexOf = (manifests: unknown): string => JSON.stringify({ schemaVersion: 2, manifests });
  const named = (tag: string) => ({
    ...entry,
    annotations: { "org.opencontainers.image.ref.name": tag },
  });

  test("finds nothing wrong with a whole layout", async () => {
    await using directory = await tempDirectory();
    await layout(directory.path);
    expect(checkRoot(directory.path)).toEqual({
      violations: [],
      layouts: [{ directory: "team/app", lines: [`- ${digest}`] }],
    });
  });

  const blob = `team/app/blobs/sha256/${hex}`;
  const damages: Readonly<Record<string, (root: string) => Promise<unknown>>> = {
    "another digest": (root) => writeFile(join(root, blob), "lazer"),
    "5 bytes that have another digest": (root) => writeFile(join(root, blob), "\0\0\0\0\0"),
    "0 bytes that have another digest": (root) => truncate(join(root, blob), 0),
    "whose bytes are not there": (root) => rm(join(root, blob)),
    "not the name of a blob": (root) => writeFile(join(root, `${blob}.part`), bytes),
    "with 6 of 5 bytes": (root) =>
      writeFile(join(root, "team/app/index.json"), indexOf([{ ...entry, size: 6 }])),
    "not an index": (root) => writeFile(join(root, "team/app/index.json"), '{"schemaVersion":2,'),
    "stands twice": (root) =>
      writeFile(join(root, "team/app/index.json"), indexOf([named("v1"), named("v1")])),
    "no oci-layout": (root) => rm(join(root, "team/app/oci-layout")),
    "oci-layout is broken": (root) => truncate(join(root, "team/app/oci-layout"), 3),
    "a file that belongs to no layout": (root) => writeFile(join(root, "team/app/tmp.1"), ""),
  };
  for (const [violation, damage] of Object.entries(damages)) {
    test(`finds: ${violation}`, async () => {
      await using directory = await tempDirectory();
      await layout(directory.path);
      await damage(directory.path);
      expect(checkRoot(directory.path).violations.join("\n")).toContain(violation);
    });
  }

  test("finds a layer that a listed manifest needs and nobody has", async () => {
    await using directory = await tempDirectory();
    await layout(directory.path);
    const manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        layers: [{ mediaType: "a/b", digest: sha256(manifestOf("x")), size: 1 }],
      }),
    );
    const path = join(directory.path, "team/app");
    await writeFile(join(path, "blobs/sha256", sha256(manifest).slice(7)), manifest);
    const listed = { mediaType: "a/b", digest: sha256(manifest), size: manifest.length };
    await writeFile(join(path, "index.json"), indexOf([listed]));
    expect(checkRoot(directory.path).violations.join("\n")).toContain("which is not there");
  });
  const manifestOf = (text: string) => new TextEncoder().encode(text);
});
