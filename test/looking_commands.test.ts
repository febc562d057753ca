// `zot ls`, `zot inspect`, `zot tree` and `zot search` as a person types them, against this registry, docker-registry,
// a layout and an archive.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startDockerRegistry, type Registry } from "./docker_registry.ts";
import {
  eventually,
  packageDirectory,
  requireTool,
  run,
  startZot,
  tempDirectory,
  type Zot,
} from "./harness.ts";
import { inspectedImages, placeImages, tarOf } from "./inspected_images.ts";
import type { TempDirectory } from "./temp.ts";

const program = join(packageDirectory, "bin/zot");
const testMs = 60_000;
const hasDockerRegistry = requireTool("docker-registry");
let zot: Zot;
let other: Registry | null = null;
let directory: TempDirectory;

beforeAll(async () => {
  zot = await startZot({ config: { extensions: { search: { enable: true } } } });
  if (hasDockerRegistry) other = await startDockerRegistry();
  directory = await tempDirectory();
  const images = inspectedImages();
  await placeImages(images, `oci:${join(directory.path, "images")}`);
  await placeImages(images, `oci-archive:${join(directory.path, "images.tar")}`);
  await placeImages(images, `${zot.url}/team/app`);
  if (other !== null) await placeImages(images, `${other.url}/team/app`);
});
afterAll(async () => {
  await zot[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const zotRun = (...args: string[]) =>
  run(program, args, { cwd: directory.path, env: { ZOT_SERVER: zot.url } });
const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await zotRun(...args, "--json");
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
};

/** Where the same images are. */
const places: readonly (readonly [name: string, place: () => string])[] = [
  ["the usual server", () => "team/app"],
  ["this registry", () => `${zot.host}/team/app`],
  ["a layout", () => "oci:images"],
  ["an archive", () => "oci-archive:images.tar"],
  ...(hasDockerRegistry
    ? [["docker-registry", () => `docker://${other?.host}/team/app`] as const]
    : []),
];

describe.each([...places])("%s", (_name, place) => {
  test(
    "ls: tags with what they are, the highest version first",
    async () => {
      const { stdout, code } = await zotRun("ls", place());
      expect(code).toBe(0);
      const lines = stdout.split("\n").map((line) => line.split(/ {2,}/));
      expect(lines[0]).toEqual(["TAG", "DIGEST", "KIND", "PLATFORMS", "SIZE"]);
      expect(lines.slice(1, -1).map(([tag, , kind, platforms]) => [tag, kind, platforms])).toEqual([
        ["multi", "Multi-platform image", "linux/amd64, linux/arm64/v8"],
        ["chart", "Helm chart", "-"],
        ["1.10", "Image", "linux/amd64"],
        ["1.9", "Image", "linux/amd64"],
        ["1.0", "Image", "linux/amd64"],
      ]);
      const quiet = await zotRun("ls", "--quiet", place());
      expect(quiet.stdout).toBe("multi\nchart\n1.10\n1.9\n1.0\n");
      const few = await zotRun("ls", "-n", "2", place());
      expect(few.stdout).toContain("3 more tags; -n 5 shows all of them");
    },
    testMs,
  );

  test(
    "inspect: an index, an image of it, and what refers to that",
    async () => {
      const told = (await json("inspect", "--platform", "linux/amd64", `${place()}:multi`)) as {
        kind: string;
        platforms: { platform: string; sizeBytes: number }[];
        image: { platform: string; layers: { from: string }[]; labels: object };
        referrers: { kind: string; artifactType: string }[];
      };
      expect(told.kind).toBe("index");
      expect(told.platforms.map(({ platform }) => platform)).toEqual([
        "linux/amd64",
        "linux/arm64/v8",
      ]);
      expect(told.image).toMatchObject({ platform: "linux/amd64", labels: { team: "blue" } });
      expect(told.image.layers.map(({ from }) => from)).toEqual(["COPY part0 /"]);
      expect(told.referrers).toMatchObject([
        { kind: "sbom", artifactType: "application/spdx+json" },
      ]);
      const signed = await json("inspect", `${place()}:1.10`);
      expect(signed).toMatchObject({ referrers: [{ kind: "sbom" }, { kind: "cosign-signature" }] });
      const page = await zotRun("inspect", `${place()}:chart`);
      expect(page.stdout).toContain("Helm chart (application/vnd.cncf.helm.config.v1+json)");
      expect(page.stdout).toMatch(/^Version {6}1\.2\.0$/m);
    },
    testMs,
  );

  test(
    "diff: config, layers, packages and files of two versions",
    async () => {
      const told = await json("diff", "--files", `${place()}:1.0`, `${place()}:1.10`);
      expect(told).toMatchObject({
        a: { platform: "linux/amd64" },
        isSame: false,
        platforms: null,
        config: [
          { path: "config.Env.VERSION", before: "1.0", after: "1.10" },
          { path: "config.User", before: null, after: "app" },
        ],
        layers: [
          { in: "both", from: "COPY part0 /" },
          { in: "b", from: "COPY part1 /" },
        ],
        packages: {
          added: [{ name: "fresh", version: "2" }],
          removed: [{ name: "old", version: "1" }],
          changed: [{ name: "busybox", before: "1.36", after: "1.37" }],
          counts: { same: 1 },
        },
        files: {
          added: [
            { path: "etc/new.conf", sizeBytes: 4 },
            { path: "var/cache/c", sizeBytes: 1 },
          ],
          removed: [{ path: "etc/old.conf" }, { path: "var/cache/a" }, { path: "var/cache/b" }],
          changed: [
            { path: "bin/app", sizeBytes: 1_200, sizeBytesBefore: 1_000, what: ["content"] },
          ],
          counts: { added: 2, removed: 3, changed: 1, same: 2 },
        },
      });
      const page = await zotRun("diff", `${place()}:multi`, `${place()}:1.10`);
      expect(page.stdout).toContain("what follows is of linux/amd64\n");
      expect(page.stdout).toContain("~  config.Env.VERSION  1.0 -> 1.10\n");
      expect(page.stdout).toContain("files were not compared; --files reads ");
    },
    testMs,
  );

  test(
    "tree: images, their parts, and referrers",
    async () => {
      const { stdout, code } = await zotRun("tree", `${place()}:multi`);
      expect(code).toBe(0);
      const shape = stdout
        .split("\n")
        .slice(1, -1)
        .map((line) => line.replace(/ {2}sha256:.*/, ""));
      expect(shape).toEqual([
        "└── Multi-platform image",
        "    ├── linux/amd64",
        "    │   ├── config",
        "    │   ├── COPY part0 /",
        "    │   └── refers to it: SBOM",
        "    │       ├── config",
        "    │       └── layer",
        "    └── linux/arm64/v8",
        "        ├── config",
        "        └── COPY part0 /",
      ]);
    },
    testMs,
  );
});

test("tree: signatures that cosign keeps under a tag", async () => {
  const { stdout } = await zotRun("tree", "team/app:1.10");
  expect(stdout).toContain("    └── refers to it: Cosign signature  sha256:");
});

test("ls: repositories, and those below a name", async () => {
  const all = await zotRun("ls");
  expect([all.code, all.stdout]).toEqual([0, "team/app\n"]);
  expect((await zotRun("ls", zot.host)).stdout).toBe("team/app\n");
  expect((await zotRun("ls", `${zot.host}/tea/`)).stdout).toBe("");
  expect(await json("ls", "team/")).toEqual({ server: zot.url, repositories: ["team/app"] });
  if (other !== null) expect((await zotRun("ls", other.url)).stdout).toBe("team/app\n");
});

test("inspect: commands of clients, for the place", async () => {
  const { stdout } = await zotRun("inspect", "team/app:chart");
  expect(stdout).toContain(`helm pull oci://${zot.host}/team/app --version chart --plain-http\n`);
  const layout = await zotRun("inspect", "oci:images:chart");
  expect(layout.stdout).not.toContain("helm pull");
});

test("nothing is coloured but on a terminal, and text of strangers moves no cursor", async () => {
  const source = inspectedImages();
  source.manifestOf(
    {
      config: source.blobOf("{}", "application/vnd.oci.empty.v1+json"),
      layers: [source.blobOf("x", "application/octet-stream")],
      annotations: { "org.opencontainers.image.title": "\u001B[31mred\u202Edet" },
    },
    undefined,
    "odd",
  );
  await placeImages(source, `oci:${join(directory.path, "odd")}`);
  for (const command of ["inspect", "tree"]) {
    const { stdout, code } = await zotRun(command, "oci:odd:odd");
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/[\u001B\u202E]/);
  }
  expect((await zotRun("inspect", "oci:odd:odd")).stdout).toContain("?[31mred?det");
});

const mistakes: readonly (readonly [args: readonly string[], status: number, says: string])[] = [
  [
    ["ls", "team/app:1.0"],
    2,
    "zot ls: expected a repository, got '1.0' behind it; 'zot inspect' shows an image",
  ],
  [
    ["ls", "-n", "0", "team/app"],
    2,
    "zot ls: expected --number as a number of tags from 1 on, got '0'",
  ],
  [
    ["ls", "oci:none"],
    1,
    "zot ls: oci:none: expected an OCI layout, but there is no file oci-layout",
  ],
  [
    ["inspect", "Team/App"],
    2,
    "zot inspect: expected [HOST[:PORT]/]REPOSITORY[:TAG|@DIGEST], such as team/app:1.0; got 'Team/App'",
  ],
  [
    ["inspect", "--platform", "linux/s390x", "oci:images:multi"],
    1,
    "zot inspect: oci:images: expected an image for linux/s390x; there are linux/amd64, linux/arm64/v8",
  ],
  [
    ["inspect", "oci:images"],
    2,
    "zot inspect: expected the name of an image behind oci:images:; there are 1.0, 1.10, 1.9, multi, chart",
  ],
  [
    ["inspect", "--user", "a:b", "oci:images:1.0"],
    2,
    "zot inspect: expected one registry with --user, got none; of others, 'docker login' and 'podman login' are used",
  ],
  [["tree", "oci:images:none"], 1, "zot tree: oci:images:none: it is not there"],
];
test.each([...mistakes])("one line: zot %j", async (args, status, says) => {
  const { code, stderr } = await zotRun(...args);
  expect([code, stderr]).toEqual([status, `${says}\n`]);
});

test("diff: from place to place, the same twice, and an exit status for scripts", async () => {
  const same = await zotRun("diff", "--exit-code", "oci:images:1.0", "team/app:1.0");
  expect([same.code, same.stdout.includes("they are the same manifest")]).toEqual([0, true]);
  const other = await zotRun("diff", "--exit-code", "oci-archive:images.tar:1.0", "team/app:1.9");
  expect(other.code).toBe(3);
  const indexes = (await json("diff", "team/app:multi", "oci:images:multi")) as object;
  expect(indexes).toMatchObject({ platforms: { same: ["linux/amd64", "linux/arm64/v8"] } });
});

test("diff: two moments of a tag", async () => {
  const { stdout } = await zotRun("copy", "oci:images:1.0", `docker://${zot.host}/moments:tag`);
  expect(stdout).toContain("copied");
  const before = new Date().toISOString().toLowerCase().replaceAll(":", ".");
  await zotRun("copy", "oci:images:1.10", `docker://${zot.host}/moments:tag`);
  const told = await json("diff", `at.${before}/moments:tag`, "moments:tag");
  expect(told).toMatchObject({ config: [{ path: "config.Env.VERSION", after: "1.10" }, {}] });
});

test(
  "diff: layers that are no tar, bombs, and wrong bytes are named",
  async () => {
    const source = inspectedImages();
    const layer = (content: string | Uint8Array) =>
      source.blobOf(content, "application/vnd.oci.image.layer.v1.tar+gzip");
    const config = source.blobOf("{}", "application/vnd.oci.image.config.v1+json");
    source.manifestOf({ config, layers: [layer("no tar at all")] }, undefined, "text");
    const zeros = new Uint8Array(100 * 1024 * 1024);
    const bomb = gzipSync(Buffer.concat([tarOf([{ name: "a" }]).subarray(0, 512), zeros]));
    source.manifestOf({ config, layers: [layer(bomb)] }, undefined, "bomb");
    await placeImages(source, `oci:${join(directory.path, "hostile")}`);
    const text = await zotRun("diff", "--files", "oci:hostile:text", "oci:hostile:1.0");
    expect([text.code, text.stdout.split("\n").at(-2)]).toEqual([
      1,
      expect.stringMatching(/^they cannot be compared: layer sha256:.*: it is no tar archive/),
    ]);
    const zipped = await zotRun("diff", "--files", "oci:hostile:1.0", "oci:hostile:bomb");
    expect(zipped.code).toBe(0);
    const { bytes } = source.manifests.get(source.names.get("1.9") ?? "") ?? { bytes: null };
    const body: { layers: { digest: string }[] } = JSON.parse(
      new TextDecoder().decode(bytes ?? undefined),
    );
    const digest = body.layers[0]?.digest ?? "";
    const file = join(directory.path, "hostile/blobs", digest.replace(":", "/"));
    const right = new Uint8Array(await Bun.file(file).arrayBuffer());
    await writeFile(
      file,
      right.map((byte, at) => (at === right.length - 9 ? byte ^ 1 : byte)),
    );
    const wrong = await zotRun("diff", "--files", "oci:hostile:text", "oci:hostile:1.9");
    expect(wrong.code).toBe(1);
    const digestSays = await zotRun("diff", "--files", "oci:hostile:1.9", "oci:hostile:1.10");
    expect([digestSays.code, digestSays.stderr]).toEqual([
      1,
      `zot diff: oci:hostile: blob ${digest} does not have its digest\n`,
    ]);
  },
  testMs,
);

test.skipIf(!hasDockerRegistry)("search: a registry without it is named", async () => {
  const { code, stderr } = await zotRun("search", "-s", other?.url ?? "", "app");
  expect(code).toBe(1);
  expect(stderr).toContain("it has no search; 'zot ls' lists its repositories");
});

test(
  "search: repositories and images, as tables and as JSON",
  async () => {
    await eventually("the images are summarised", async () => {
      const { stdout } = await zotRun("search", "team/app:1.0");
      return stdout.includes("team/app:1.0");
    });
    const { stdout, code } = await zotRun("search", "app");
    expect(code).toBe(0);
    const [head, row] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(head).toEqual(searchHead);
    expect(row?.[0]).toBe("team/app");
    const few = await zotRun("search", "-n", "1", "team/app:");
    expect(few.stdout).toMatch(/\n[1-9] more; -n shows more of them\n$/);
    expect(await json("search", "team/app:1.10")).toMatchObject({
      totalCount: 1,
      repositories: [],
      images: [{ RepoName: "team/app", Tag: "1.10" }],
    });
    const none = await zotRun("search", "no-such-name");
    expect([none.code, none.stdout]).toEqual([0, "nothing is found\n"]);
    const refused = await zotRun("search", ":");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("search: invalid search query");
  },
  testMs,
);

const searchHead = [
  "REPOSITORY",
  "NEWEST",
  "UPDATED",
  "SIZE",
  "PLATFORMS",
  "SIGNED",
  "DESCRIPTION",
];
