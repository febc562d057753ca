// The table of the history of tags: what was where, newest first (draft of the distribution specification).

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { mediaTypes } from "../../../src/oci/media_types.ts";
import { config, image, layer, type ManifestContent } from "../content.ts";
import { deleted, manifestCreated } from "../expected.ts";
import type { Given, Row, Step } from "../row.ts";

const draft = "distribution-spec pull 606";
const blobs: readonly Given[] = [{ blob: config }, { blob: layer }];
const first = image({
  annotations: { "org.opencontainers.distribution.tag.event": "forged", title: "first" },
});
const second = image({ annotations: { title: "second" } });

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

const standard = "org.opencontainers.distribution.tag";

function entriesOf(answer: Exchange): readonly Entry[] {
  const index = JSON.parse(Buffer.from(answer.body).toString()) as { manifests: Entry[] };
  return index.manifests;
}

function set(manifest: ManifestContent): Step {
  return {
    send: "PUT /v2/{r}/manifests/v1",
    body: manifest.bytes,
    headers: { "content-type": manifest.mediaType },
    endpoint: "manifest.put",
    answer: 201,
    has: manifestCreated(manifest.digest),
  };
}

const remove: Step = {
  send: "DELETE /v2/{r}/manifests/v1",
  endpoint: "manifest.delete",
  answer: 202,
  ...deleted,
};

/** The events that a query gives, as `event digest`. */
function lists(query: string, events: readonly (readonly [string, ManifestContent])[]): Step {
  return {
    send: `GET /v2/{r}/_oci/tag-history/v1${query}`,
    endpoint: "history.tag",
    answer: 200,
    has: { "content-type": mediaTypes.ociIndex },
    check: (answer) => {
      const entries = entriesOf(answer);
      expect(
        entries.map((entry) => [entry.annotations[`${standard}.event`], entry.digest]),
      ).toEqual(events.map(([event, { digest }]) => [event, digest]));
      for (const { mediaType, size, annotations } of entries) {
        expect([mediaType, size > 100]).toEqual([mediaTypes.ociImage, true]);
        // Those of the manifests are not repeated: they could say anything.
        expect(Object.keys(annotations).toSorted()).toEqual([
          "io.zotregistry.tag.sequence",
          `${standard}.event`,
          `${standard}.timestamp`,
        ]);
      }
      const times = entries.map(({ annotations }) => annotations[`${standard}.timestamp`] ?? "");
      expect(times).toEqual([...new Set(times)].toSorted().toReversed());
      for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    },
  };
}

const nothing: Pick<Step, "has" | "gives"> = {
  has: { "content-type": mediaTypes.ociIndex },
  gives: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
};

const events = [
  ["deleted", first],
  ["created", first],
  ["created", second],
  ["created", first],
] as const;
const moved: readonly Step[] = [set(first), set(second), set(first), set(first), remove];

const wrong = ["before=x", "since=2026-02-30T00:00:00Z", "before=1764504000", "last=x", "n=x"];

export const historyRows: readonly Row[] = [
  {
    rule: "What a tag pointed at is listed newest first; the same digest again is no event",
    source: draft,
    given: blobs,
    steps: [...moved, lists("", events), lists("?n=9", events)],
  },
  {
    rule: "Events can be narrowed to a digest, and to times of which neither end counts",
    source: draft,
    given: blobs,
    steps: [
      ...moved,
      lists(`?digest=${second.digest}`, [events[2]]),
      lists(`?digest=${layer.digest}`, []),
      lists("?since=2020-01-01T00:00:00Z", events),
      lists("?before=2020-01-01T00:00:00Z", []),
      lists("?since=2020-01-01T00:00:00%2B02:00&before=2200-01-01T00:00:00Z", events),
      lists("?since=2020-01-01T00:00:00+02:00", events),
      {
        ...lists("", events),
        check: async (answer, { world, fill }) => {
          const times = entriesOf(answer).map(
            ({ annotations }) => annotations[`${standard}.timestamp`],
          );
          const path = fill("/v2/{r}/_oci/tag-history/v1");
          const range = `before=${times[0]}&since=${times[3]}`;
          const between = await world.send("GET", `${path}?${range}`);
          expect(entriesOf(between).map(({ digest }) => digest)).toEqual([
            first.digest,
            second.digest,
          ]);
        },
      },
    ],
  },
  {
    rule: "A page leads to the next one, whatever the query says",
    source: draft,
    given: blobs,
    steps: [
      ...moved,
      {
        ...lists("?n=3&since=2020-01-01T00:00:00Z", events.slice(0, 3)),
        has: {
          "content-type": mediaTypes.ociIndex,
          link: /^<\/v2\/row-\d+\/main\/_oci\/tag-history\/v1\?n=3&since=2020-01-01T00%3A00%3A00Z&last=\d+>; rel="next"$/,
        },
        check: async (answer, { world }) => {
          const next = /^<(.*)>/.exec(answer.headers.get("link") ?? "")?.[1] ?? "";
          const last = await world.send("GET", next);
          expect(entriesOf(last).map(({ digest }) => digest)).toEqual([first.digest]);
          expect(last.headers.get("link")).toBeNull();
        },
      },
    ],
  },
  {
    rule: "None are asked for with n=0: a question whether histories are served, which leads nowhere",
    source: draft,
    given: blobs,
    steps: [
      set(first),
      {
        send: "GET /v2/{r}/_oci/tag-history/v1?n=0",
        endpoint: "history.tag",
        answer: 200,
        ...nothing,
      },
    ],
  },
  {
    rule: "An unknown tag or repository has an empty history",
    source: draft,
    given: blobs,
    steps: ["{r}/_oci/tag-history/never", "{r2}/_oci/tag-history/v1"].map((path) => ({
      send: `GET /v2/${path}`,
      endpoint: "history.tag",
      answer: 200,
      ...nothing,
    })),
  },
  {
    rule: "A delete by digest removes each of its tags, in their histories, too",
    source: draft,
    given: [...blobs, { manifest: first, tag: "v1" }, { manifest: first, tag: "v2" }],
    steps: [
      {
        send: `DELETE /v2/{r}/manifests/${first.digest}`,
        endpoint: "manifest.delete",
        answer: 202,
        ...deleted,
      },
      ...["v1", "v2"].map((tag) => ({
        ...lists("", events.slice(0, 2)),
        send: `GET /v2/{r}/_oci/tag-history/${tag}`,
      })),
    ],
  },
  {
    rule: "What cannot be read is refused",
    source: "ours",
    steps: [
      ...wrong.map((query): Step => ({
        send: `GET /v2/{r}/_oci/tag-history/v1?${query}`,
        endpoint: "history.tag",
        answer: "PARAMETER_INVALID",
        says: /^Expected /,
      })),
      {
        send: "GET /v2/{r}/_oci/tag-history/v1?digest=x",
        endpoint: "history.tag",
        answer: "DIGEST_INVALID",
      },
      {
        send: "GET /v2/{r}/_oci/tag-history/-v1",
        endpoint: "history.tag",
        answer: "MANIFEST_INVALID",
      },
      {
        send: "GET /v2/UPPER/_oci/tag-history/v1",
        endpoint: "history.tag",
        answer: "NAME_INVALID_READ",
      },
    ],
  },
];
