// `zot copy`, `zot export` and `zot import` as a person types them: with the tools that others use, logins, a run that is
// killed and goes on, and what is said where.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  eventually,
  packageDirectory,
  requireTool,
  run,
  runOk,
  startService,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import type { TempDirectory } from "./temp.ts";
import { someBytes } from "./transfer/memory_source.ts";

const program = join(packageDirectory, "bin/zot");
let zot: Zot;
let directory: TempDirectory;

beforeAll(async () => {
  zot = await startZot();
  directory = await tempDirectory();
  await writeLayout(at("made"), { app: ["first layer", "second layer"], other: ["first layer"] });
});
afterAll(async () => {
  await zot[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const at = (name: string): string => join(directory.path, name);
const host = (): string => zot.url.replace("http://", "");
const zotRun = (...args: string[]) => run(program, args, { cwd: directory.path });

/** Writes a layout with an image of these layers for each name, by the library that the command uses. */
async function writeLayout(
  path: string,
  images: Record<string, (string | Uint8Array)[]>,
): Promise<void> {
  const { MemorySource } = await import("./transfer/memory_source.ts");
  const { copyImages } = await import("../src/transfer/copy_images.ts");
  const { openTarget } = await import("../src/transfer/open_place.ts");
  const { parsePlaceName } = await import("../src/transfer/place_name.ts");
  const { testRetries } = await import("./contracts/image_places.ts");
  const from = new MemorySource();
  for (const [tag, layers] of Object.entries(images)) from.image(layers, tag);
  const place = parsePlaceName(`oci:${path}`);
  const target = await openTarget(place, {
    retries: testRetries,
    client: {},
    source: parsePlaceName("oci:none"),
    isDryRun: false,
  });
  await copyImages({
    source: from,
    target,
    images: Object.keys(images).map((tag) => ({ reference: tag, tag })),
    platforms: [],
    withReferrers: false,
    parallel: 1,
    retries: testRetries,
  });
  await target.close();
}

test("lines for people, a document for programs, and statuses", async () => {
  const first = await zotRun("copy", "oci:made:app", `docker://${host()}/lines/app:1`);
  expect(first.code).toBe(0);
  expect(first.stdout).toMatch(/^oci:made:app {2}sha256:[0-9a-f]{64} {2}copied\nblobs sent +3 /);
  const again = await zotRun("copy", "oci:made:app", `docker://${host()}/lines/app:1`);
  expect(again.stdout).toContain("is there already");
  const dry = await zotRun(
    "copy",
    "--dry-run",
    "--all-tags",
    "oci:made",
    `docker://${host()}/lines/app`,
  );
  expect(dry.stdout).toContain("would go");
  const json = await zotRun(
    "copy",
    "-f",
    "json",
    "--all-tags",
    "oci:made",
    `docker://${host()}/lines/app`,
  );
  const report = JSON.parse(json.stdout) as {
    images: { tag: string }[];
    blobs: { sent: { count: number } };
  };
  expect(report.images.map(({ tag }) => tag).toSorted()).toEqual(["app", "other"]);
  // Only the configuration of the other image is new.
  expect(report.blobs.sent.count).toBe(1);
  const some = await zotRun("copy", "--tags", "^o", "oci:made", "oci-archive:some.tar");
  expect(some.stdout).toContain("oci:made:other");
  expect(some.stdout).not.toContain("oci:made:app");
});

const mistakes: readonly [string[], string][] = [
  [
    ["app:1", "oci:x"],
    "expected docker://HOST/NAME[:TAG|@DIGEST], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]; got 'app:1'",
  ],
  [
    ["oci:made", "oci:x"],
    "expected the name of an image behind oci:made:, or --all-tags; there are app, other",
  ],
  [
    ["--all-tags", "oci:made:app", "oci:x"],
    "expected no tag with --all-tags and --tags, got 'app' behind oci:made",
  ],
  [["--tags", "(", "oci:made", "oci:x"], "expected --tags as a regular expression, got '('"],
  [
    ["--platform", "linux", "oci:made:app", "oci:x"],
    "expected --platform as OS/ARCHITECTURE[/VARIANT], got 'linux'",
  ],
  [["--parallel", "0", "oci:made:app", "oci:x"], "expected --parallel from 1 to 64, got '0'"],
  [
    ["--from-user", "a:b", "oci:made:app", "oci:x"],
    "expected --from-user with a registry, got it with 'made'",
  ],
  [
    ["oci:made:app", `oci:x@sha256:${"a".repeat(64)}`],
    "expected a tag behind oci:x, got a digest: that follows from the content",
  ],
];
for (const [args, says] of mistakes) {
  test(`a mistake is one line: ${args.join(" ").slice(0, 60)}`, async () => {
    const { code, stderr } = await zotRun("copy", ...args);
    expect([code, stderr]).toEqual([2, `zot copy: ${says}\n`]);
  });
}

test("skopeo reads what is written, and writes what is read, with the same digests", async () => {
  if (!requireTool("skopeo")) return;
  const digestOf = async (place: string): Promise<string> => {
    const args = ["inspect", "--tls-verify=false", "--raw", place];
    const raw = await runOk("skopeo", args, { cwd: directory.path });
    return `sha256:${new Bun.CryptoHasher("sha256").update(raw.stdout).digest("hex")}`;
  };
  const wanted = await digestOf("oci:made:app");
  expect((await zotRun("copy", "oci:made:app", "oci-archive:ours.tar:1")).code).toBe(0);
  expect(await digestOf("oci-archive:ours.tar:1")).toBe(wanted);
  expect((await zotRun("copy", "oci:made:app", `docker://${host()}/skopeo/app:1`)).code).toBe(0);
  expect(await digestOf(`docker://${host()}/skopeo/app:1`)).toBe(wanted);
  const from = ["copy", "--src-tls-verify=false", `docker://${host()}/skopeo/app:1`];
  await runOk("skopeo", [...from, "oci:theirs:1"], { cwd: directory.path });
  await runOk("skopeo", [...from, "oci-archive:theirs.tar:1"], { cwd: directory.path });
  for (const theirs of ["oci:theirs:1", "oci-archive:theirs.tar:1"]) {
    const { code, stdout } = await zotRun("copy", theirs, "oci:back");
    // It compresses layers that are not.
    expect([code, stdout.includes(await digestOf(theirs))]).toEqual([0, true]);
  }
});

describe("archives", () => {
  const tags = async (path: string): Promise<string[]> => {
    const { stdout } = await zotRun("copy", "--all-tags", `oci-archive:${path}`, "oci:seen", "-d");
    return stdout.match(/(?<=oci-archive:[^ ]+:)[a-z]+(?=  sha256)/g) ?? [];
  };

  test("that are there are replaced by all of their images, and not by some of them", async () => {
    expect((await zotRun("copy", "--all-tags", "oci:made", "oci-archive:kept.tar")).code).toBe(0);
    const before = await readFile(at("kept.tar"));
    for (const dry of [[], ["-d"]]) {
      const refused = await zotRun("copy", "oci:made:app", "oci-archive:kept.tar", ...dry);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toBe(
        "zot copy: oci-archive:kept.tar: the archive there has other images (other), which would be lost; name another file, or remove it\n",
      );
    }
    expect((await readFile(at("kept.tar"))).equals(before)).toBe(true);
    expect((await zotRun("copy", "--all-tags", "oci:made", "oci-archive:kept.tar")).code).toBe(0);
    expect((await tags("kept.tar")).toSorted()).toEqual(["app", "other"]);
    expect((await zotRun("copy", "oci:made:app", "oci-archive:one.tar")).code).toBe(0);
    expect((await zotRun("copy", "oci:made:app", "oci-archive:one.tar")).code).toBe(0);
  });

  test("never take the place of a file that is none", async () => {
    await writeFile(at("thesis.tar"), "ten years of work");
    const refused = await zotRun("copy", "oci:made:app", "oci-archive:thesis.tar");
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "zot copy: oci-archive:thesis.tar: the file there is no archive of images; name another file, or remove it\n",
    ]);
    expect(await readFile(at("thesis.tar"), "utf8")).toBe("ten years of work");
  });

  test("go through pipes, with what is told beside them", async () => {
    const { stdout } = await runOk(
      "sh",
      [
        "-c",
        `${program} copy oci:made:app oci-archive:- 2>told | ${program} copy oci-archive:- oci:piped:app`,
      ],
      { cwd: directory.path },
    );
    expect(await readFile(at("told"), "utf8")).toContain("copied");
    const { stdout: seen } = await zotRun("copy", "oci:made:app", "oci:piped:app");
    expect(seen).toContain("is there already");
    expect(stdout).toContain("oci-archive:-:app");
    const json = await zotRun("copy", "oci:made:app", "oci-archive:-", "-f", "json");
    expect([json.code, json.stdout]).toEqual([2, ""]);
    const nothing = await zotRun("copy", "oci-archive:-", "oci:piped2:app");
    expect([nothing.code, nothing.stdout]).toEqual([1, ""]);
  });

  test("of an export go through pipes, too", async () => {
    expect((await zotRun("copy", "oci:made:app", `docker://${host()}/gap/app:1`)).code).toBe(0);
    await using inside = await startZot();
    const there = inside.url.replace("http://", "");
    const line = `${program} export ${host()} gap/app -o - 2>told | ${program} import - ${there}`;
    await runOk("sh", ["-c", line], { cwd: directory.path });
    expect(await readFile(at("told"), "utf8")).toContain("sha256:");
    expect((await fetch(`${inside.url}/v2/gap/app/manifests/1`)).status).toBe(200);
  });
});

test("a run that is killed goes on where it was, with the bytes that were there", async () => {
  const large = someBytes(24 * 1024 * 1024, 7);
  await writeLayout(at("large"), { big: [large] });
  const slow = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const answer = await fetch(`${zot.url}${pathname}${search}`, {
        method: request.method,
        headers: {
          range: request.headers.get("range") ?? "",
          accept: request.headers.get("accept") ?? "*/*",
        },
      });
      ranges.push(request.headers.get("range") ?? "");
      if (!pathname.includes("/blobs/") || answer.status > 206 || request.method === "HEAD") {
        return new Response(request.method === "HEAD" ? null : await answer.arrayBuffer(), {
          status: answer.status,
          headers: answer.headers,
        });
      }
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (bytes.length < 1024 * 1024 || isWhole)
        return new Response(bytes, {
          status: answer.status,
          headers: { "content-range": answer.headers.get("content-range") ?? "" },
        });
      // Half of it comes, and then nothing more.
      return new Response(
        new ReadableStream({
          start: (controller) => {
            controller.enqueue(bytes.subarray(0, bytes.length / 2));
          },
        }),
      );
    },
  });
  const ranges: string[] = [];
  let isWhole = false;
  expect((await zotRun("copy", "oci:large:big", `docker://${host()}/killed/app:1`)).code).toBe(0);
  const args = ["copy", `${slow.url.origin}/killed/app:1`, "oci:killed"];
  const service = startService([program, ...args], { cwd: directory.path });
  const partial = at("killed/.zot-copy");
  await eventually("half of the blob is written", async () => {
    const names = await readdir(partial).catch(() => []);
    const sizes = await Promise.all(
      // What comes whole meanwhile is named anew.
      names.map((name) =>
        stat(join(partial, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.some((size) => size >= 11 * 1024 * 1024);
  });
  process.kill(service.pid, "SIGKILL");
  await service.stop().catch(() => undefined);
  expect((await readdir(at("killed"))).includes("index.json")).toBe(false);
  isWhole = true;
  ranges.length = 0;
  const done = await zotRun(...args);
  expect([done.code, done.stderr.includes("blob")]).toEqual([0, true]);
  expect(ranges.some((range) => /^bytes=[1-9]\d{7}-$/.test(range))).toBe(true);
  const index = JSON.parse(await readFile(at("killed/index.json"), "utf8")) as {
    manifests: unknown[];
  };
  expect(index.manifests).toHaveLength(1);
  expect(await readdir(at("killed"))).toEqual(expect.not.arrayContaining([".zot-copy"]));
  await slow.stop(true);
});

test("logins come from the command line, from variables and from what docker keeps", async () => {
  await writeFile(
    at("users"),
    `ann:${await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })}\n`,
  );
  await using guarded = await startZot({
    config: { http: { auth: { htpasswd: { path: at("users") } } } },
  });
  const place = `${guarded.url}/app:1`;
  const refused = await zotRun("copy", "oci:made:app", place);
  expect([refused.code, /needs a login/.test(refused.stderr)]).toEqual([1, true]);
  expect((await zotRun("copy", "oci:made:app", place, "--to-user", "ann:secret")).code).toBe(0);
  const variable = { cwd: directory.path, env: { ZOT_FROM_PASSWORD: "secret" } };
  expect(
    (await run(program, ["copy", place, "oci:var", "--from-user", "ann"], variable)).code,
  ).toBe(0);
  const auth = Buffer.from("ann:secret").toString("base64");
  const key = guarded.url.replace("http://", "");
  await writeFile(at("auth.json"), JSON.stringify({ auths: { [key]: { auth } } }));
  const kept = { cwd: directory.path, env: { REGISTRY_AUTH_FILE: at("auth.json") } };
  expect((await run(program, ["copy", place, "oci:kept"], kept)).code).toBe(0);
});

test("an export is carried over, and a second one brings the news alone", async () => {
  await using inside = await startZot();
  await zotRun("copy", "oci:made:app", `docker://${host()}/carried/app:1`);
  const first = await zotRun("export", zot.url, "carried/**", "-o", "first.tar");
  expect(first.code).toBe(0);
  const digest = /sha256:[0-9a-f]{64}/.exec(first.stdout)?.[0] ?? "";
  const wrong = await zotRun(
    "import",
    "first.tar",
    inside.url,
    "--digest",
    `sha256:${"0".repeat(64)}`,
  );
  expect([wrong.code, /expected the export sha256:000/.test(wrong.stderr)]).toEqual([1, true]);
  const right = await zotRun("import", "first.tar", inside.url, "--digest", digest);
  expect([right.code, /tags set +1/.test(right.stdout)]).toEqual([0, true]);
  await zotRun("copy", "oci:made:other", `docker://${host()}/carried/app:2`);
  const news = await zotRun(
    "export",
    zot.url,
    "carried/**",
    "--since",
    "first.tar",
    "-o",
    "news.tar",
    "-f",
    "json",
  );
  const told = JSON.parse(news.stdout) as { tags: number; blobs: { count: number } };
  expect([told.tags, told.blobs.count]).toEqual([1, 1]);
  expect((await zotRun("import", "news.tar", inside.url)).code).toBe(0);
  const tags = (await (await fetch(`${inside.url}/v2/carried/app/tags/list`)).json()) as {
    tags: string[];
  };
  expect(tags.tags).toEqual(["1", "2"]);
  const late = await zotRun(
    "export",
    zot.url,
    "carried/**",
    "--since",
    "news.tar",
    "-o",
    "none.tar",
  );
  expect(late.stdout).toContain("nothing is new");
});
