// crane (go-containerregistry), regctl (regclient) and oras-go: the libraries under most other clients.
//
// Proves: images and artifacts pushed by one are read by the others unchanged; chunked uploads, mounts,
// sha512, paged lists, referrers, tag and manifest deletion work as these libraries expect.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  packageDirectory,
  type Registry,
  run,
  runOk,
  startZot,
  tempDirectory,
} from "../harness.ts";
import { sha256 } from "./base_image.ts";
import { goTools } from "./go_tools.ts";
import {
  clientTestMs,
  expectBlobsServed,
  getManifest,
  isZot,
  mediaTypes,
  parseManifest,
  startRegistryUnderTest,
} from "./tested_registry.ts";

const tools = await goTools();

describe.skipIf(tools === null)("clients written in Go", () => {
  let registry: Registry;
  let directory: Awaited<ReturnType<typeof tempDirectory>>;
  let env: Record<string, string>;
  /** Random bytes inside the layer. */
  let content: Uint8Array;

  const { crane = "", regctl = "", oras = "" } = tools ?? {};
  const at = (name: string) => join(directory.path, name);
  const ref = (name: string) => `${registry.host}/${name}`;
  const out = async (command: string, ...args: string[]) =>
    (await runOk(command, args, { env, cwd: directory.path })).stdout.trim();
  const lines = async (command: string, ...args: string[]) =>
    (await out(command, ...args)).split("\n").filter((line) => line !== "");

  beforeAll(async () => {
    directory = await tempDirectory("zot-go-clients");
    registry = await startRegistryUnderTest();
    env = { HOME: directory.path, DOCKER_CONFIG: at("docker"), REGCTL_CONFIG: at("regctl.json") };
    // Three megabytes, so that regctl's chunked upload has several chunks.
    content = new Uint8Array(3 * 1024 * 1024);
    for (let from = 0; from < content.length; from += 65_536) {
      crypto.getRandomValues(content.subarray(from, from + 65_536));
    }
    await mkdir(at("files"));
    await writeFile(at("files/random"), content);
    await runOk("tar", ["-cf", at("layer.tar"), "-C", at("files"), "random"]);
    await out(regctl, "registry", "set", registry.host, "--tls", "disabled");
  }, clientTestMs);

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  }, clientTestMs);

  /** Pushes an image of one layer with crane; its digest. */
  async function pushImage(name: string): Promise<string> {
    const pushed = await out(
      crane,
      "append",
      "--oci-empty-base",
      "-f",
      at("layer.tar"),
      "-t",
      ref(name),
    );
    return pushed.slice(pushed.indexOf("@") + 1);
  }

  test(
    "crane builds on the registry, validates, exports, pulls, pushes, copies, tags and lists",
    async () => {
      const digest = await pushImage("crane/app:1");
      const served = await getManifest(registry, "crane/app", "1");
      expect(served.digest).toBe(digest);
      expect(served.mediaType).toBe(mediaTypes.manifest);
      await expectBlobsServed(registry, "crane/app", parseManifest(served.text));
      expect(await out(crane, "digest", ref("crane/app:1"))).toBe(digest);
      await out(crane, "validate", "--remote", ref("crane/app:1"));

      await out(crane, "export", ref("crane/app:1"), at("export.tar"));
      const extracted = await Bun.$`tar -xOf ${at("export.tar")} random`.quiet().arrayBuffer();
      expect(sha256(new Uint8Array(extracted))).toBe(sha256(content));

      await out(crane, "pull", "--format=oci", ref("crane/app:1"), at("crane-layout"));
      expect(await out(crane, "push", at("crane-layout"), ref("crane/pushed:1"))).toEndWith(digest);
      await out(crane, "copy", ref("crane/app:1"), ref("crane/copied:1"));
      await out(crane, "tag", ref("crane/copied:1"), "2");
      expect((await getManifest(registry, "crane/copied", "2")).text).toBe(served.text);
      expect(new Set(await lines(crane, "ls", ref("crane/copied")))).toEqual(new Set(["1", "2"]));
      const catalog = await lines(crane, "catalog", registry.host);
      expect(catalog).toContain("crane/app");
      expect(catalog).toContain("crane/copied");
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "crane prints what a quota says when a push has no room",
    async () => {
      const storage = { quotas: [{ prefix: "full/", bytes: 0 }] };
      await using zot = await startZot({ config: { storage } });
      const args = ["append", "--oci-empty-base", "-f", at("layer.tar"), "-t"];
      const refused = await run(crane, [...args, `${zot.host}/full/app:1`], { env });
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(
        /quota of full\/: 0 B used of 0 B, this layer needs room; see `zot du full\/`/,
      );
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "crane and regctl read what zot copy wrote, with what refers to it",
    async () => {
      const digest = await pushImage("copied/app:1");
      const signature = ["artifact", "put", "--artifact-type", "application/vnd.test.signature"];
      const put = ["--file", at("files/random"), "--subject", ref("copied/app:1")];
      await out(regctl, ...signature, ...put);
      const zot = join(packageDirectory, "bin/zot");
      const named = (name: string) => `docker://${ref(name)}`;
      await out(zot, "copy", named("copied/app:1"), "oci-archive:copied.tar");
      await out(zot, "copy", "oci-archive:copied.tar", named("copied/back:1"));
      await out(zot, "copy", named("copied/back:1"), "oci:copied:1");
      await out(crane, "validate", "--remote", ref("copied/back:1"));
      expect(await out(crane, "digest", ref("copied/back:1"))).toBe(digest);
      const layout = `ocidir://${at("copied")}:1`;
      expect(await out(regctl, "image", "digest", layout)).toBe(digest);
      const list = ["artifact", "list", ref("copied/back:1"), "--format", "{{len .Descriptors}}"];
      expect(await out(regctl, ...list)).toBe("1");
    },
    clientTestMs,
  );

  test(
    "crane deletes by digest: every tag of it goes",
    async () => {
      const digest = await pushImage("crane/deleted:1");
      await out(crane, "delete", ref(`crane/deleted@${digest}`));
      const after = await run(crane, ["manifest", ref("crane/deleted:1")], { env });
      expect(after.code).not.toBe(0);
      expect(after.stderr).toContain("MANIFEST_UNKNOWN");
    },
    clientTestMs,
  );

  test(
    "regctl copies layouts in and out, in one request or in chunks, with the same digests",
    async () => {
      const digest = await pushImage("regctl/app:1");
      const layout = `ocidir://${at("regctl-layout")}:1`;
      await out(regctl, "image", "copy", ref("regctl/app:1"), layout);
      await out(regctl, "image", "copy", layout, ref("regctl/whole:1"));
      expect((await getManifest(registry, "regctl/whole", "1")).digest).toBe(digest);

      // A fresh layer, since a known one would be mounted instead of sent.
      const chunked = [`--host=reg=${registry.host},tls=disabled,blobChunk=1000000,blobMax=1`];
      const file = crypto.getRandomValues(new Uint8Array(50_000));
      const bytes = new Blob(Array.from({ length: 60 }, () => file));
      await Bun.write(at("chunked"), bytes);
      const wanted = sha256(await bytes.bytes());
      const put = Bun.spawn([regctl, "blob", "put", ...chunked, ref("regctl/chunked")], {
        env: { ...process.env, ...env },
        stdin: Bun.file(at("chunked")),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([
        new Response(put.stdout).text(),
        new Response(put.stderr).text(),
      ]);
      expect({ stderr, stdout: stdout.trim() }).toEqual({ stderr: "", stdout: wanted });
      const blob = await fetch(`${registry.url}/v2/regctl/chunked/blobs/${wanted}`);
      expect(sha256(await blob.bytes())).toBe(wanted);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "regctl deletes a tag and leaves the manifest and its other tags",
    async () => {
      const digest = await pushImage("regctl/tags:keep");
      await out(crane, "tag", ref("regctl/tags:keep"), "drop");
      await out(regctl, "tag", "rm", ref("regctl/tags:drop"));
      expect(await lines(regctl, "tag", "ls", ref("regctl/tags"))).toEqual(["keep"]);
      expect(await out(regctl, "image", "digest", ref("regctl/tags:keep"))).toBe(digest);
      expect(await lines(regctl, "repo", "ls", registry.host)).toContain("regctl/tags");
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "regctl pushes and copies an image whose digests are sha512",
    async () => {
      await pushImage("sha512/app:1");
      const changed = ["--digest-algo", "sha512", "--create", ref("sha512/app:2")];
      await out(regctl, "image", "mod", ref("sha512/app:1"), ...changed);
      const digest = await out(regctl, "image", "digest", ref("sha512/app:2"));
      expect(digest).toStartWith("sha512:");
      const raw = await out(
        regctl,
        "manifest",
        "get",
        "--format",
        "raw-body",
        ref(`sha512/app@${digest}`),
      );
      expect(`sha512:${new Bun.CryptoHasher("sha512").update(raw).digest("hex")}`).toBe(digest);
      for (const layer of parseManifest(raw).layers) expect(layer.digest).toStartWith("sha512:");
      await expectBlobsServed(registry, "sha512/app", parseManifest(raw));
      await out(regctl, "image", "copy", ref("sha512/app:2"), ref("sha512/copy:2"));
      expect(await out(regctl, "image", "digest", ref("sha512/copy:2"))).toBe(digest);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "regctl attaches artifacts to an image, lists them, and copies them with the image",
    async () => {
      await pushImage("regctl/subject:1");
      await writeFile(at("sbom.json"), '{"sbom":1}');
      const type = "application/vnd.example.sbom.v1";
      const put = ["--artifact-type", type, "-m", "application/json", "-f", at("sbom.json")];
      await out(regctl, "artifact", "put", "--subject", ref("regctl/subject:1"), ...put);
      const list = (name: string) =>
        out(
          regctl,
          "artifact",
          "list",
          "--filter-artifact-type",
          type,
          "--format",
          "{{json .Descriptors}}",
          ref(name),
        );
      const before = await list("regctl/subject:1");
      expect(before).toContain(type);
      await out(
        regctl,
        "image",
        "copy",
        "--referrers",
        ref("regctl/subject:1"),
        ref("regctl/moved:1"),
      );
      expect(await list("regctl/moved:1")).toBe(before);
      // With the referrers API in use no fallback tag appears.
      expect(await lines(regctl, "tag", "ls", ref("regctl/moved"))).toEqual(["1"]);
    },
    clientTestMs,
  );

  test.skipIf(!isZot)(
    "oras-go pushes artifacts with referrers of referrers, pages through them, copies the whole graph",
    async () => {
      const digest = await out(
        oras,
        "push",
        ref("oras/app:1"),
        "application/vnd.example.app",
        "app",
      );
      const sbom = await out(
        oras,
        "attach",
        ref("oras/app:1"),
        "application/vnd.example.sbom",
        "s",
      );
      const notes = [];
      for (const text of ["a", "b", "c"]) {
        notes.push(await out(oras, "attach", ref("oras/app:1"), "text/x-example-note", text));
      }
      const signature = await out(
        oras,
        "attach",
        ref(`oras/app@${sbom}`),
        "text/x-example-sig",
        "x",
      );
      const all = [`${sbom} application/vnd.example.sbom`].concat(
        notes.map((note) => `${note} text/x-example-note`),
      );
      const listed = await lines(oras, "referrers", ref("oras/app:1"), "");
      expect(new Set(listed)).toEqual(new Set(all));
      expect(listed.length).toBe(4);
      const filtered = await lines(oras, "referrers", ref("oras/app:1"), "text/x-example-note");
      expect(new Set(filtered)).toEqual(new Set(all.slice(1)));

      expect(await out(oras, "copy", ref("oras/app:1"), ref("oras/copy:1"))).toBe(digest);
      expect(new Set(await lines(oras, "referrers", ref("oras/copy:1"), ""))).toEqual(new Set(all));
      expect(await lines(oras, "referrers", ref(`oras/copy@${sbom}`), "")).toEqual([
        `${signature} text/x-example-sig`,
      ]);
      expect(await out(oras, "pull", ref("oras/copy:1"), at("oras-layout"))).toBe(digest);
      const saved = await readFile(at(`oras-layout/blobs/${digest.replace(":", "/")}`), "utf8");
      expect(saved).toBe((await getManifest(registry, "oras/app", "1")).text);

      for (const tag of ["2", "3", "4", "5"]) {
        await out(oras, "push", ref(`oras/app:${tag}`), "application/vnd.example.app", tag);
      }
      expect(await lines(oras, "tags", ref("oras/app"))).toEqual(["1", "2", "3", "4", "5"]);
      await out(oras, "delete", ref(`oras/app@${sbom}`));
      const left = await lines(oras, "referrers", ref("oras/app:1"), "");
      expect(new Set(left)).toEqual(new Set(all.slice(1)));
    },
    clientTestMs,
  );
});
