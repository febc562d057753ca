// The table of what content takes, in a world in which everybody may do everything.

import { expect } from "bun:test";
import type { Exchange } from "../../../src/client/exchange.ts";
import { config, image, layer } from "../content.ts";
import type { Answer, Given, Row, Step } from "../row.ts";

const source = "ours";
const noStore = { "content-type": "application/json", "cache-control": "no-store" };
const one = image({ annotations: { usage: "one" } });
const two = image({ annotations: { usage: "two" } });
const size = (...contents: { bytes: Uint8Array }[]): number =>
  contents.reduce((sum, { bytes }) => sum + bytes.length, 0);
const given: readonly Given[] = [
  { blob: config },
  { blob: layer },
  { manifest: one, tag: "v1" },
  { manifest: two, tag: "v2" },
];

function tells(query: string, expected: object): Step {
  return {
    send: `GET /v2/{r}/_zot/usage${query}`,
    endpoint: "usage.repository",
    answer: 200,
    has: noStore,
    check: (answer) => expect(bodyOf(answer)).toMatchObject(expected),
  };
}

function bodyOf(answer: Exchange): Record<string, unknown> {
  return JSON.parse(Buffer.from(answer.body).toString()) as Record<string, unknown>;
}

function lists(query: string, expected: (name: string) => object): Step {
  return {
    send: `GET /v2/_zot/usage${query}`,
    endpoint: "usage.list",
    answer: 200,
    has: noStore,
    check: (answer, scene) => expect(bodyOf(answer)).toMatchObject(expected(scene.fill("{r}"))),
  };
}

function refused(send: string, endpoint: string, answer: Answer): Step {
  return { send, endpoint, answer };
}

const all = size(config, layer, one, two);
const own = image({ annotations: { usage: "of one repository" } });
const shared = image({ annotations: { usage: "of two" } });
const most = all + size(own, shared);
const elsewhere: readonly Given[] = [
  ...[config, layer].map((blob) => ({ blob, in: "{r2}" })),
  ...[one, two, shared].map((manifest, at) => ({ manifest, tag: `v${at}`, in: "{r2}" })),
];

export const usageRows: readonly Row[] = [
  {
    rule: "A repository takes each digest once, manifests included",
    source,
    given,
    steps: [
      tells("", {
        isCounted: true,
        linkedBytes: all,
        digests: 4,
        manifests: 2,
        tagCount: 2,
        waitingBytes: 0,
        heldBytes: 0,
        quotas: [],
      }),
    ],
  },
  {
    rule: "What tags share goes with the last of them",
    source,
    given,
    steps: [
      tells("?tag=v1", {
        tags: [{ tag: "v1", linkedBytes: size(config, layer, one), freedHereBytes: size(one) }],
        together: { freedHereBytes: size(one) },
      }),
      tells("?tag=v1&tag=v2", { together: { freedHereBytes: all } }),
      {
        send: "DELETE /v2/{r}/manifests/v2",
        endpoint: "manifest.delete",
        answer: 202,
      },
      tells("", { linkedBytes: all, waitingBytes: size(two), tagCount: 1 }),
    ],
  },
  {
    rule: "What was deleted is held, and counts nowhere else",
    source,
    given,
    steps: [
      {
        send: `DELETE /v2/{r}/manifests/${two.digest}`,
        endpoint: "manifest.delete",
        answer: 202,
      },
      tells("", { linkedBytes: all - size(two), heldBytes: size(two), manifests: 1, tagCount: 1 }),
    ],
  },
  {
    rule: "Repositories below a prefix are listed with their sum",
    source,
    given: [...given, { manifest: own, tag: "v3" }, { manifest: shared, tag: "v4" }, ...elsewhere],
    steps: [
      lists("?prefix={r}", (name) => ({
        prefix: name,
        total: {
          repositories: 1,
          linkedBytes: most,
          ownBytes: size(own),
          manifests: 4,
          tagCount: 4,
        },
        repositories: [
          { name, linkedBytes: most, ownBytes: size(own), sharedBytes: most - size(own) },
        ],
      })),
      lists("?prefix={r}/", (name) => ({
        prefix: `${name}/`,
        total: { repositories: 0 },
        repositories: [],
      })),
      lists("?prefix={r}&n=0", () => ({ total: { linkedBytes: most }, repositories: [] })),
    ],
  },
  {
    rule: "A list has pages; the totals stand on the first",
    source,
    given: [...given, { blob: config, in: "{r2}" }],
    steps: [
      {
        send: "GET /v2/_zot/usage?n=1",
        endpoint: "usage.list",
        answer: 200,
        has: { ...noStore, link: /^<\/v2\/_zot\/usage\?n=1&last=[^>]+>; rel="next"$/ },
        check: (answer) => expect(bodyOf(answer)).toMatchObject({ total: expect.anything() }),
      },
      lists("?n=1&last=~", () => ({ prefix: "", repositories: [] })),
    ],
  },
  {
    rule: "Administrators are told what lies on the disk",
    source,
    given,
    steps: [
      {
        send: "GET /v2/_zot/usage?n=0",
        endpoint: "usage.list",
        answer: 200,
        has: noStore,
        check: (answer) => {
          const { total } = bodyOf(answer) as { total: Record<string, number> };
          const { linkedBytes = 0, heldBytes = 0, physicalBytes = 0 } = total;
          expect(total).toMatchObject({ isCounted: true, ownBytes: linkedBytes, sharedBytes: 0 });
          expect(physicalBytes).toBeGreaterThanOrEqual(linkedBytes + heldBytes);
        },
      },
    ],
  },
  {
    rule: "What cannot be asked is refused",
    source,
    given,
    steps: [
      refused("GET /v2/none/such/_zot/usage", "usage.repository", "NAME_UNKNOWN"),
      refused("GET /v2/A/_zot/usage", "usage.repository", "NAME_INVALID_READ"),
      refused("GET /v2/at.7d/{r}/_zot/usage", "usage.repository", "NAME_UNKNOWN"),
      refused("GET /v2/{r}/_zot/usage?tag=v9", "usage.repository", "MANIFEST_UNKNOWN"),
      refused("GET /v2/{r}/_zot/usage?tag=%20", "usage.repository", "MANIFEST_INVALID"),
      refused(
        `GET /v2/{r}/_zot/usage?${Array.from({ length: 65 }, (_, at) => `tag=t${at}`).join("&")}`,
        "usage.repository",
        "PARAMETER_INVALID",
      ),
      ...["..", "/", "A", "a//b", "%C3%A4", "a%00", "*", "-1", "a".repeat(300)].map((prefix) =>
        refused(`GET /v2/_zot/usage?prefix=${prefix}`, "usage.list", "PARAMETER_INVALID"),
      ),
      ...["-1", "1e9", "0x10", "%D9%A3"].map((n) =>
        refused(`GET /v2/_zot/usage?n=${n}`, "usage.list", "PARAMETER_INVALID"),
      ),
    ],
  },
];
