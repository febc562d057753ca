// zot's own command line against this registry, and against zot where it is given: the same content in both, every
// command that searches, and the lines in which the answers differ.
//
//   scripts/bun test/search/originals.ts --zli FILE [--zot-go FILE] [--only TEXT] [--show]
//
// The programs are built from their sources elsewhere; nothing in CI runs this. It exits with 1 where a command fails
// here and not there, and prints what each says with `--show`.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { eventually, freePort, run, startService, startZot, tempDirectory } from "../harness.ts";
import { pushCorpus } from "./corpus_data.ts";
import { worldAt } from "./world_at.ts";
import { SearchWorld, type ImageParts, type Pushed } from "./search_world.ts";

const { values } = parseArgs({
  args: Bun.argv.slice(2),
  options: {
    zli: { type: "string" },
    "zot-go": { type: "string", default: "" },
    only: { type: "string", default: "" },
    show: { type: "boolean", default: false },
  },
});
if (values.zli === undefined) {
  console.error("test/search/originals.ts: expected --zli FILE, the command line of zot (Go)");
  process.exit(2);
}
const zli = values.zli;

/** Histories fit the layers: where one does not, zot answers every list with an error. */
class FittingWorld extends SearchWorld {
  override push(repository: string, tag: string | null, parts: ImageParts = {}): Promise<Pushed> {
    const { layers = ["layer"], config } = parts;
    if (typeof config !== "object" || config === null || !("history" in config)) {
      return super.push(repository, tag, parts);
    }
    const history = [
      ...layers.map((name) => ({ created_by: `COPY ${name} /` })),
      { created_by: "CMD sh", empty_layer: true },
    ];
    return super.push(repository, tag, { ...parts, config: { ...config, history } });
  }
}

/** It has summarised what was pushed when it answers the push. */
class GoWorld extends FittingWorld {
  override async settled(): Promise<void> {}
}

interface Side {
  readonly name: string;
  readonly url: string;
}

const layer = `sha256:${new Bun.CryptoHasher("sha256").update("rootfs").digest("hex")}`;
const formats = [[], ["-f", "json"], ["-f", "yaml"], ["--verbose"]] as const;
const orders = ["update-time", "alpha-asc", "alpha-dsc"] as const;

function commands(signed: string): readonly (readonly string[])[] {
  const inFormats = [
    ["image", "list"],
    ["image", "name", "team/multi:1.0"],
    ["image", "digest", layer],
    ["image", "base", "team/app:v2"],
    ["image", "derived", "library/alpine:3.20"],
    ["search", "query", "app"],
    ["search", "query", "library/alpine:3"],
    ["search", "subject", "team/signed:1.0"],
    ["repo", "list"],
  ].flatMap((command) => formats.map((format) => [...command, ...format]));
  const inOrders = [
    ["image", "list"],
    ["image", "digest", layer],
    ["image", "base", "team/app:v2"],
    ["repo", "list"],
    ["search", "query", "a"],
  ].flatMap((command) => orders.map((order) => [...command, "--sort-by", order]));
  return [
    ...inFormats,
    ...inOrders,
    ["image", "name", "team/app:no-such"],
    ["image", "name", "no/such:v1"],
    ["image", "digest", "sha256:ffff"],
    ["image", "base", "team/app:no-such"],
    ["image", "base", "library/alpine:3.20"],
    ["image", "derived", "team/app:v2"],
    ["search", "query", "nothing-such"],
    ["search", "query", "team/app:v", "--sort-by", "update-time"],
    ["search", "subject", `team/signed@${signed}`],
    ["search", "subject", "team/app:v1"],
    ["search", "subject", "no/such:v1"],
    ["image", "cve", "library/alpine:3.20"],
    ["cve", "list", "library/alpine:3.20"],
    ["cve", "affected", "CVE-2026-1"],
    ["cve", "fixed", "team/app", "CVE-2026-1"],
    ["cve", "diff", "team/app:v1", "team/app:v2"],
    ["status"],
  ];
}

async function ask(side: Side, command: readonly string[], home: string): Promise<string[]> {
  const args = [...command, "--url", side.url];
  const { code, stdout, stderr } = await run(zli, args, { env: { HOME: home } });
  const lines = `${stdout}${stderr}`.replaceAll(side.url, "<url>").trimEnd().split("\n");
  return [`exit ${code}`, ...lines.map((line) => withoutMoments(line).trimEnd())];
}

const today = new Date().toISOString().slice(0, 10);

/** Moments of pushes, and the width of the column that they are in. */
function withoutMoments(line: string): string {
  const moment = new RegExp(`${today}[T ][0-9:.]+(?:Z| \\+0000 UTC)`, "g");
  return line.replaceAll(moment, "<now>").replaceAll(/ {2,}/g, "  ");
}

/** Lines that one has and the other has not, in the order that they have. */
function differences(here: readonly string[], there: readonly string[]): string[] {
  const without = (lines: readonly string[], others: readonly string[]): string[] => {
    const left = [...others];
    return lines.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  return [
    ...without(there, here).map((line) => `  zot   ${line}`),
    ...without(here, there).map((line) => `  ours  ${line}`),
  ];
}

await using directory = await tempDirectory("zot-originals");
await using ours = await startZot({ config: { extensions: { search: {} } } });
const world = new FittingWorld(worldAt(ours.url));
await pushCorpus(world);
const signed = await world.send("HEAD", "/v2/team/signed/manifests/1.0");
const signedDigest = String(signed.headers.get("docker-content-digest"));

const goPort = await freePort();
const there: Side | null =
  values["zot-go"] === "" ? null : { name: "zot", url: `http://127.0.0.1:${goPort}` };
const goFile = join(directory.path, "zot.json");
const goConfig = {
  distSpecVersion: "1.1.1",
  storage: { rootDirectory: join(directory.path, "root") },
  http: { address: "127.0.0.1", port: String(goPort) },
  log: { level: "error" },
  extensions: { search: { enable: true } },
};
await writeFile(goFile, JSON.stringify(goConfig));
await using go = there === null ? null : startService([values["zot-go"], "serve", goFile]);
if (there !== null) {
  await eventually("zot answers", async () => {
    if (go?.running() !== true) throw new Error(go?.stderr().join("\n"));
    return fetch(`${there.url}/v2/`).then(
      ({ status }) => status === 200,
      () => false,
    );
  });
  await pushCorpus(new GoWorld(worldAt(there.url)));
}

let failed = 0;
for (const command of commands(signedDigest)) {
  const text = command.join(" ");
  if (!text.includes(values.only)) continue;
  const here = await ask({ name: "ours", url: ours.url }, command, directory.path);
  const other = there === null ? null : await ask(there, command, directory.path);
  const differing = other === null ? [] : differences(here, other);
  const isWorse = other !== null && other[0] === "exit 0" && here[0] !== "exit 0";
  if (isWorse) failed += 1;
  const how = other === null ? (here[0] ?? "") : differing.length === 0 ? "same" : "differs";
  console.log(`${isWorse ? "FAILED" : how}: zli ${text}`);
  if (values.show) console.log(here.map((line) => `  | ${line}`).join("\n"));
  if (differing.length > 0) console.log(differing.join("\n"));
}
process.exitCode = failed > 0 ? 1 : 0;
