// The table of taking things back: tags, content by its digest, whole mishaps, and what is removed for good.

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { config, image, index, layer, type ManifestContent } from "../content.ts";
import { deleted, manifestCreated, manifestHeaders } from "../expected.ts";
import type { Answer, Given, Row, Scene, Step } from "../row.ts";

const source = "ours";
const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];
const first = image({ annotations: { title: "first" } });
const second = image({ annotations: { title: "second" } });
const bundle = index([first]);
const day = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const noStore = { "content-type": "application/json", "cache-control": "no-store" };

function push(manifest: ManifestContent, tag: string): Step {
  return {
    send: `PUT /v2/{r}/manifests/${tag}`,
    body: manifest.bytes,
    headers: { "content-type": manifest.mediaType },
    endpoint: "manifest.put",
    answer: 201,
    has: manifestCreated(manifest.digest),
  };
}

function remove(reference: string): Step {
  return {
    send: `DELETE /v2/{r}/manifests/${reference}`,
    endpoint: "manifest.delete",
    answer: 202,
    ...deleted,
  };
}

const removeBlob: Step = {
  send: `DELETE /v2/{r}/blobs/${layer.digest}`,
  endpoint: "blob.delete",
  answer: 202,
  ...deleted,
};

function pull(manifest: ManifestContent, tag: string): Step {
  return {
    send: `GET /v2/{r}/manifests/${tag}`,
    endpoint: "manifest.get",
    answer: 200,
    has: manifestHeaders(manifest, tag.includes(":") ? "digest" : "tag"),
    gives: manifest.bytes,
  };
}

function absent(reference: string): Step {
  return {
    send: `GET /v2/{r}/manifests/${reference}`,
    endpoint: "manifest.get",
    answer: "MANIFEST_UNKNOWN",
  };
}

const bodyOf = (answer: Exchange): Record<string, unknown> =>
  JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;

/** A POST of JSON. */
function post(
  path: string,
  endpoint: string,
  body: unknown,
  answer: Answer,
  more: Partial<Step> = {},
): Step {
  return {
    send: `POST /v2/${path}`,
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    endpoint,
    answer,
    ...more,
  };
}

function restore(body: object, answer: Answer, more: Partial<Step> = {}): Step {
  const isDone = answer === 200;
  return post("{r}/_zot/tag-history/v1/restore", "undo.tag", body, answer, {
    ...(isDone ? { has: noStore } : {}),
    ...(isDone
      ? {
          check: (exchange: Exchange) => {
            const { tag, digest, pinnedUntil } = bodyOf(exchange);
            expect({ tag, digest }).toEqual({
              tag: "v1",
              digest: (body as { digest: unknown }).digest,
            });
            if (digest === null) expect(pinnedUntil).toBeNull();
            else expect(pinnedUntil).toMatch(day);
          },
        }
      : {}),
    ...more,
  });
}

function undelete(digest: string, answer: Answer, more: Partial<Step> = {}): Step {
  return post("{r}/_zot/undelete", "undo.delete", { digest }, answer, {
    ...(answer === 200
      ? {
          has: noStore,
          check: (exchange: Exchange) => expect(bodyOf(exchange)["pinnedUntil"]).toMatch(day),
        }
      : {}),
    ...more,
  });
}

function purge(digest: string, answer: Answer, more: Partial<Step> = {}): Step {
  return post("{r}/_zot/purge", "undo.purge", { digest, reason: "a secret" }, answer, {
    ...(answer === 200 ? { has: noStore, gives: { name: "{r}", digest, alsoIn: [] } } : {}),
    ...more,
  });
}

const tagRows: readonly Row[] = [
  {
    rule: "A tag that was moved is set back to what it was",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      push(second, "v1"),
      restore({ digest: first.digest, expect: second.digest }, 200),
      pull(first, "v1"),
      pull(second, second.digest),
    ],
  },
  {
    rule: "A tag that was removed comes back, with its manifest where that was deleted, too",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      remove("v1"),
      restore({ digest: first.digest, expect: null }, 200),
      remove(first.digest),
      removeBlob,
      absent("v1"),
      absent(first.digest),
      restore({ digest: first.digest }, 200),
      pull(first, "v1"),
      { ...pull(first, first.digest) },
      {
        send: `HEAD /v2/{r}/blobs/${layer.digest}`,
        endpoint: "blob.get",
        answer: 200,
        check: () => undefined,
        has: {
          "docker-content-digest": layer.digest,
          etag: `"${layer.digest}"`,
          "cache-control": /immutable/,
          "accept-ranges": "bytes",
          "content-disposition": "attachment",
          "content-security-policy": /sandbox/,
          "content-type": "application/octet-stream",
        },
      },
    ],
  },
  {
    rule: "A tag that was set by mistake is removed, and its manifest stays",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      restore({ digest: null, expect: first.digest }, 200),
      absent("v1"),
      pull(first, first.digest),
    ],
  },
  {
    rule: "An undo of a tag that was moved since it was shown is refused, and says what it is now",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      push(second, "v1"),
      restore({ digest: second.digest, expect: first.digest }, "PRECONDITION_FAILED", {
        says: new RegExp(
          `^The tag v1 was moved since it was shown: it points at ${second.digest} since .*Z by an anonymous caller; look again`,
        ),
      }),
      remove("v1"),
      restore({ digest: first.digest, expect: second.digest }, "PRECONDITION_FAILED", {
        says: /^The tag v1 was moved since it was shown: it is gone since /,
      }),
      restore({ digest: null, expect: second.digest }, "PRECONDITION_FAILED"),
    ],
  },
  {
    rule: "What was never there, and what is no manifest, cannot be set",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      restore({ digest: second.digest }, "MANIFEST_UNKNOWN", { says: /was not removed from it$/ }),
      restore({ digest: layer.digest }, "MANIFEST_UNKNOWN"),
      post(
        "{r2}/_zot/tag-history/v1/restore",
        "undo.tag",
        { digest: first.digest },
        "NAME_UNKNOWN",
      ),
      post("{r}/_zot/tag-history/-v1/restore", "undo.tag", { digest: null }, "MANIFEST_INVALID"),
    ],
  },
];

const contentRows: readonly Row[] = [
  {
    rule: "An index that was deleted comes back with its images and their blobs",
    source,
    given: [...blobs, { manifest: first }, { manifest: bundle, tag: "v1" }],
    steps: [
      remove(bundle.digest),
      remove(first.digest),
      removeBlob,
      undelete(bundle.digest, 200),
      pull(bundle, bundle.digest),
      pull(first, first.digest),
      absent("v1"),
      undelete(bundle.digest, 200),
    ],
  },
  {
    rule: "A blob that was deleted comes back alone",
    source,
    given: blobs,
    steps: [
      removeBlob,
      undelete(layer.digest, 200),
      {
        send: `GET /v2/{r}/blobs/${layer.digest}`,
        headers: { "if-none-match": `"${layer.digest}"` },
        endpoint: "blob.get",
        answer: 304,
        has: {
          "docker-content-digest": layer.digest,
          etag: `"${layer.digest}"`,
          "cache-control": /immutable/,
        },
      },
      undelete(first.digest, "MANIFEST_UNKNOWN"),
    ],
  },
  {
    rule: "What was purged is gone for good: with its tags and what it alone named, and its event stays",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      push(second, "v2"),
      purge(first.digest, 200),
      absent("v1"),
      undelete(first.digest, "MANIFEST_UNKNOWN", { says: /was collected/ }),
      pull(second, "v2"),
      {
        send: "GET /v2/{r}/_oci/tag-history/v1",
        endpoint: "history.tag",
        answer: 200,
        has: { "content-type": /index/ },
        check: (exchange) => {
          const [last] = bodyOf(exchange)["manifests"] as {
            digest: string;
            annotations: Record<string, string>;
          }[];
          expect(last?.digest).toBe(first.digest);
          expect(last?.annotations["io.zotregistry.tag.reason"]).toBe("a secret");
        },
      },
      // Held content can be purged, too.
      remove(second.digest),
      purge(second.digest, 200),
      undelete(second.digest, "MANIFEST_UNKNOWN"),
      {
        send: `GET /v2/{r}/blobs/${layer.digest}`,
        endpoint: "blob.get",
        answer: "BLOB_UNKNOWN",
      },
    ],
  },
  {
    rule: "What something names, or nobody knows, is not purged",
    source,
    given: [...blobs, { manifest: first }, { manifest: bundle, tag: "v1" }],
    steps: [
      purge(layer.digest, "BLOB_REFERENCED", { has: { allow: "OPTIONS" } }),
      purge(first.digest, "BLOB_REFERENCED", { has: { allow: "OPTIONS" } }),
      purge(second.digest, "MANIFEST_UNKNOWN"),
      post("{r2}/_zot/purge", "undo.purge", { digest: first.digest, reason: "x" }, "NAME_UNKNOWN"),
      post("{r}/_zot/purge", "undo.purge", { digest: bundle.digest }, "REQUEST_INVALID"),
      post(
        "{r}/_zot/purge",
        "undo.purge",
        { digest: bundle.digest, reason: "a\nb" },
        "REQUEST_INVALID",
      ),
    ],
  },
];

interface PlanStep {
  readonly repository: string;
  readonly tag: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly problem: string | null;
}

/** The plan of a repository's own steps. */
async function planOf(scene: Scene, since: string): Promise<PlanStep[]> {
  const prefix = encodeURIComponent(scene.fill("{r}"));
  const answer = await scene.world.send("GET", `/v2/_zot/undo?since=${since}&prefix=${prefix}`);
  expect(Buffer.from(answer.body).toString()).toContain('"steps"');
  return bodyOf(answer)["steps"] as PlanStep[];
}

const plan: Step = {
  send: "GET /v2/_zot/undo?since=1h&prefix={r}",
  endpoint: "undo.plan",
  answer: 200,
  has: noStore,
};

const mishapRows: readonly Row[] = [
  {
    rule: "All that was done since a moment is planned first, then undone in one commit",
    source,
    given: [...blobs, { manifest: first, tag: "kept" }],
    steps: [
      push(first, "v1"),
      push(second, "v2"),
      {
        ...plan,
        check: async (_, scene) => {
          await Bun.sleep(2);
          const { world, fill } = scene;
          const since = new Date().toISOString();
          await Bun.sleep(2);
          const path = fill("/v2/{r}/manifests");
          const send = async (method: string, at: string, of?: ManifestContent) => {
            const options =
              of === undefined ? {} : { body: of.bytes, headers: { "content-type": of.mediaType } };
            expect((await world.send(method, `${path}/${at}`, options)).status).toBeLessThan(300);
          };
          await send("PUT", "v1", second);
          await send("DELETE", "v2");
          await send("PUT", "new", first);
          await send("PUT", "kept", second);
          await send("PUT", "kept", first);
          const steps = (await planOf(scene, since)).map(({ repository: _r, ...step }) => step);
          expect(steps).toEqual([
            {
              tag: "v1",
              from: second.digest,
              to: first.digest,
              at: expect.any(String),
              by: null,
              problem: null,
            },
            {
              tag: "v2",
              from: null,
              to: second.digest,
              at: expect.any(String),
              by: null,
              problem: null,
            },
            {
              tag: "new",
              from: first.digest,
              to: null,
              at: expect.any(String),
              by: null,
              problem: null,
            },
          ] as unknown as typeof steps);
          const apply = async () => {
            const steps = (await planOf(scene, since)).map(({ repository, tag, from, to }) => ({
              repository,
              tag,
              from,
              to,
            }));
            return await world.send("POST", "/v2/_zot/undo", {
              body: JSON.stringify({ steps }),
              headers: { "content-type": "application/json" },
            });
          };
          const done = await apply();
          expect([done.status, bodyOf(done)["undone"]]).toEqual([200, 3]);
          const tags = await world.send("GET", fill("/v2/{r}/tags/list"));
          expect(bodyOf(tags)["tags"]).toEqual(["kept", "v1", "v2"]);
          expect(await planOf(scene, since)).toEqual([]);
        },
      },
      pull(first, "v1"),
    ],
  },
  {
    rule: "A plan that does not hold any more changes nothing",
    source,
    given: blobs,
    steps: [
      push(first, "v1"),
      push(second, "v2"),
      {
        ...plan,
        check: async (_, { world, fill }) => {
          const repository = fill("{r}");
          const steps = ["v1", "v2"].map((tag) => ({
            repository,
            tag,
            from: first.digest,
            to: null,
          }));
          const answer = await world.send("POST", "/v2/_zot/undo", {
            body: JSON.stringify({ steps }),
          });
          expect(answer.status).toBe(412);
          expect(Buffer.from(answer.body).toString()).toContain(
            "Nothing was undone: the tag v2 is not as the plan saw it",
          );
        },
      },
      pull(first, "v1"),
    ],
  },
  {
    rule: "Times, lists and steps that cannot be read are refused",
    source,
    steps: [
      ...["", "?since=yesterday", "?since=1y", "?since=2026-02-30T00:00:00Z"].map(
        (query): Step => ({
          send: `GET /v2/_zot/undo${query}`,
          endpoint: "undo.plan",
          answer: "PARAMETER_INVALID",
        }),
      ),
      ...[
        {},
        { steps: [] },
        { steps: [{}] },
        { steps: [{ repository: "UPPER", tag: "v1", from: null, to: null }] },
        { steps: [{ repository: "a", tag: "-", from: null, to: null }] },
        { steps: [{ repository: "a", tag: "v1", from: "x", to: null }] },
        { steps: [{ repository: "a", tag: "v1", from: null, to: null, more: 1 }] },
      ].map((body) => post("_zot/undo", "undo.apply", body, "REQUEST_INVALID")),
    ],
  },
];

/** Bodies that no endpoint takes. */
const bodyRows: readonly Row[] = (
  [
    ["{r}/_zot/tag-history/v1/restore", "undo.tag"],
    ["{r}/_zot/undelete", "undo.delete"],
    ["{r}/_zot/purge", "undo.purge"],
    ["{r}/_zot/tags", "tag.set"],
    ["_zot/undo", "undo.apply"],
  ] as const
).map(([path, endpoint]) => ({
  rule: `Only a small JSON object with known members is a body of ${endpoint}`,
  source,
  steps: [
    post(path, endpoint, "{", "REQUEST_INVALID"),
    post(path, endpoint, "[]", "REQUEST_INVALID"),
    post(path, endpoint, { digest: "sha256:x" }, "REQUEST_INVALID"),
    post(path, endpoint, { tag: "v1" }, "REQUEST_INVALID"),
    post(path, endpoint, " ".repeat(9 * 1024 * 1024), "REQUEST_TOO_LARGE"),
    post(path, endpoint, {}, "CONTENT_ENCODING", { headers: { "content-encoding": "gzip" } }),
  ],
}));

export const undoRows: readonly Row[] = [...tagRows, ...contentRows, ...mishapRows, ...bodyRows];
