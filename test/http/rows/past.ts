// The table of reads of the past: names `at.<when>/…`, `?at=`, and the header `Zot-At`.

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { mediaTypes } from "../../../src/oci/media_types.ts";
import { config, image, layer, referrer, type ManifestContent } from "../content.ts";
import type { Given, Row, Scene, Step } from "../row.ts";

const source = "ours";
const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];
const first = image({ annotations: { title: "first" } });
const second = image({ annotations: { title: "second" } });
const signature = referrer(second, 1);

const plan: Step = {
  send: "GET /v2/",
  endpoint: "base.get",
  answer: 200,
  has: { "content-type": "application/json" },
};

/** Steps that need moments in between, in one check. */
function story(rule: string, run: (scene: Scene, past: Past) => Promise<void>): Row {
  return {
    rule,
    source,
    given: blobs,
    steps: [{ ...plan, check: (_, scene) => run(scene, new Past(scene)) }],
  };
}

type Headers = Readonly<Record<string, string>>;

class Past {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** The time, which is none of any event. */
  async moment(): Promise<string> {
    await Bun.sleep(3);
    const now = new Date().toISOString();
    await Bun.sleep(3);
    return now;
  }

  ask(method: string, path: string, headers: Headers = {}, of?: ManifestContent) {
    const body = of === undefined ? {} : { body: of.bytes };
    return this.#scene.world.send(method, this.#scene.fill(`/v2/${path}`), { headers, ...body });
  }

  async push(tag: string, of: ManifestContent): Promise<void> {
    const headers = { "content-type": of.mediaType };
    const answer = await this.ask("PUT", `{r}/manifests/${tag}`, headers, of);
    expect(answer.status).toBe(201);
  }

  async remove(path: string): Promise<void> {
    expect((await this.ask("DELETE", `{r}/${path}`)).status).toBe(202);
  }

  /** The digest of a manifest, or the reason that it is not there. */
  async pull(path: string, headers: Headers = {}): Promise<string> {
    const answer = await this.ask("GET", path, headers);
    if (answer.status === 200) {
      expect(answer.headers.get("zot-at")).toMatch(/^n\d+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      const head = await this.ask("HEAD", path, headers);
      expect(head.headers.get("docker-content-digest")).toBe(
        answer.headers.get("docker-content-digest"),
      );
      return answer.headers.get("docker-content-digest") ?? "";
    }
    const [error] = bodyOf(answer)["errors"] as { code: string; detail?: { reason?: string } }[];
    return `${answer.status} ${error?.code} ${error?.detail?.reason ?? ""}`.trim();
  }
}

const bodyOf = (answer: Exchange): Record<string, unknown> =>
  JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;

/** A moment as a name has it. */
const named = (moment: string): string => `at.${moment.toLowerCase().replaceAll(":", ".")}`;

const stories: readonly Row[] = [
  story("A tag is what it was then, by a name, a parameter or a header", async (_, past) => {
    const before = await past.moment();
    await past.push("v1", first);
    const between = await past.moment();
    await past.push("v1", second);
    const after = await past.moment();
    await past.remove("manifests/v1");
    const end = await past.moment();
    for (const [moment, expected] of [
      [before, "404 MANIFEST_UNKNOWN before-history"],
      [between, first.digest],
      [after, second.digest],
      [end, "404 MANIFEST_UNKNOWN"],
      ["2999-01-01T00:00:00Z", "404 MANIFEST_UNKNOWN"],
    ] as const) {
      expect(await past.pull(`${named(moment)}/{r}/manifests/v1`)).toBe(expected);
      expect(await past.pull(`{r}/manifests/v1?at=${moment}`)).toBe(expected);
      expect(await past.pull("{r}/manifests/v1", { "zot-at": moment })).toBe(expected);
    }
    expect(await past.pull("at.0s/{r}/manifests/v1")).toBe("404 MANIFEST_UNKNOWN");
    expect(await past.pull("at.9d/{r}/manifests/v1")).toBe("404 MANIFEST_UNKNOWN before-history");
    expect(await past.pull("at.2020-01-01/{r}/manifests/v1")).toBe(
      "404 MANIFEST_UNKNOWN before-history",
    );
    expect(await past.pull(`at.0s/{r}/manifests/${first.digest}`)).toBe(first.digest);
    const answer = await past.ask("GET", `{r}/manifests/v1?at=${after}`);
    const sequence = /^n(\d+) /.exec(answer.headers.get("zot-at") ?? "")?.[1] ?? "";
    expect(await past.pull(`at.n${sequence}/{r}/manifests/v1`)).toBe(second.digest);
    expect(await past.pull(`{r}/manifests/v1?at=n${Number(sequence) - 1}`)).toBe(first.digest);
    expect(await past.pull("at.n0/{r}/manifests/v1")).toBe("404 MANIFEST_UNKNOWN before-history");
    expect(await past.pull("at.0s/{r2}/manifests/v1")).toBe("404 NAME_UNKNOWN");
  }),
  story(
    "Deleted content is read while it is held, and is told to be collected afterwards",
    async (scene, past) => {
      await past.push("v1", first);
      const then = named(await past.moment());
      await past.remove(`manifests/${first.digest}`);
      await past.remove(`blobs/${layer.digest}`);
      expect(await past.pull(`${then}/{r}/manifests/v1`)).toBe(first.digest);
      expect(await past.pull(`{r}/manifests/${first.digest}`)).toBe("404 MANIFEST_UNKNOWN");
      const size = await past.ask("HEAD", `${then}/{r}/blobs/${layer.digest}`);
      expect(size.status).toBe(200);
      const blob = await past.ask("GET", `${then}/{r}/blobs/${layer.digest}`, {
        range: "bytes=0-2",
      });
      expect([blob.status, Buffer.from(blob.body).toString()]).toEqual([206, "a l"]);
      expect(blob.headers.get("zot-at")).toMatch(/^n\d+ /);
      const mounted = await past.ask(
        "POST",
        scene.fill(`{r2}/blobs/uploads/?mount=${layer.digest}&from=${then}/{r}`),
      );
      expect(mounted.status).toBe(201);
      const purged = await scene.world.send("POST", scene.fill("/v2/{r}/_zot/purge"), {
        body: JSON.stringify({ digest: first.digest, reason: "a test" }),
      });
      expect(purged.status).toBe(200);
      expect(await past.pull(`${then}/{r}/manifests/v1`)).toBe("404 MANIFEST_UNKNOWN collected");
      const gone = await past.ask("GET", `${then}/{r}/blobs/${config.digest}`);
      expect(gone.status).toBe(404);
    },
  ),
  story("Lists are those of then", async (scene, past) => {
    const before = await past.moment();
    await past.push("a", first);
    await past.push("b", first);
    const early = named(await past.moment());
    await past.push("v1", second);
    await past.push(signature.digest, signature);
    await past.remove("manifests/a");
    const late = named(await past.moment());
    await past.push("z", first);
    const tags = async (path: string) => {
      const answer = await past.ask("GET", path);
      return [answer.status, bodyOf(answer)["tags"], answer.headers.get("link")];
    };
    expect(await tags(`${early}/{r}/tags/list`)).toEqual([200, ["a", "b"], null]);
    expect(await tags(`${late}/{r}/tags/list`)).toEqual([200, ["b", "v1"], null]);
    expect(await tags("{r}/tags/list")).toEqual([200, ["b", "v1", "z"], null]);
    const [status, page, link] = await tags(`${late}/{r}/tags/list?n=1`);
    const next = scene.fill(`</v2/${late}/{r}/tags/list?n=1&last=b>; rel="next"`);
    expect([status, page, link]).toEqual([200, ["b"], next]);
    const asked = await past.ask("GET", "{r}/tags/list?n=1&at=0s");
    expect(asked.headers.get("link")).toContain("?at=0s&n=1&last=b>");
    const nothing = await past.ask("GET", `${named(before)}/{r}/tags/list`);
    expect(nothing.status).toBe(404);
    expect(Buffer.from(nothing.body).toString()).toContain("before-history");
    const referrers = async (at: string) => {
      const answer = await past.ask("GET", `${at}/{r}/referrers/${second.digest}`);
      expect(answer.headers.get("content-type")).toBe(mediaTypes.ociIndex);
      return (bodyOf(answer)["manifests"] as { digest: string }[]).map(({ digest }) => digest);
    };
    expect(await referrers(early)).toEqual([]);
    expect(await referrers(late)).toEqual([signature.digest]);
    const catalog = await past.ask("GET", "_catalog");
    expect(JSON.stringify(bodyOf(catalog)["repositories"])).not.toContain("at.");
    const history = await past.ask("GET", `${early}/{r}/_oci/tag-history/a`);
    expect((bodyOf(history)["manifests"] as unknown[]).length).toBe(1);
  }),
];

const writes: readonly (readonly [string, string])[] = [
  ["PUT at.7d/{r}/manifests/v1", "manifest.put"],
  [`DELETE at.7d/{r}/manifests/v1`, "manifest.delete"],
  [`DELETE at.n5/{r}/blobs/${layer.digest}`, "blob.delete"],
  ["POST at.2026-11-30/{r}/blobs/uploads/", "upload.start"],
  [`POST at.1w/{r}/blobs/uploads/?digest=${layer.digest}`, "blob.post"],
  [`POST at.2026-11-30t12.00.00z/{r}/blobs/uploads/?mount=${layer.digest}`, "blob.mount"],
];

const wrongTimes = ["yesterday", "2026-02-30", "2026-02-30T00:00:00Z", "7x", "-1d", "n", ""];

export const pastRows: readonly Row[] = [
  ...stories,
  {
    rule: "A time that there is not is refused",
    source,
    given: blobs,
    steps: [
      ...wrongTimes.map((time): Step => ({
        send: `GET /v2/{r}/manifests/v1?at=${time}`,
        endpoint: "manifest.get",
        answer: "PARAMETER_INVALID",
        says: /^Expected a time such as/,
      })),
      {
        send: `GET /v2/{r}/blobs/${layer.digest}`,
        headers: { "zot-at": "noon" },
        endpoint: "blob.get",
        answer: "PARAMETER_INVALID",
      },
      {
        send: "GET /v2/at.2026-02-30/{r}/manifests/v1",
        endpoint: "manifest.get",
        answer: "PARAMETER_INVALID",
        says: /^Expected a time that there is/,
      },
      {
        send: "GET /v2/at.7d/{r}/manifests/v1?at=1d",
        endpoint: "manifest.get",
        answer: "PARAMETER_INVALID",
        says: /got two$/,
      },
    ],
  },
];

/** Writes, each of which is refused with what is allowed there. */
export const pastWrites: readonly (readonly [send: string, endpoint: string])[] = writes;
