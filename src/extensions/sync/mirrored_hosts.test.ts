// What clients are told of the mirrored upstreams, from the options.

import { describe, expect, test } from "bun:test";
import type * as z from "zod";
import type { NameMapping } from "../../lib/mirror_clients.ts";
import { mirroredHosts } from "./mirrored_hosts.ts";
import { namedEntries } from "./names.ts";
import { syncOptions, type RegistryValues } from "./options.ts";

function told(mirrors: readonly string[], registries: readonly object[] = []) {
  const read = (syncOptions.registries.type as z.ZodType<readonly RegistryValues[]>).parse(
    registries.map((each) => ({ onDemand: true, ...each })),
  );
  return mirroredHosts(namedEntries({ registries: read, mirrors } as never));
}

test("the shorthand has each registry below its own name, and Docker Hub at the root", () => {
  expect(told(["docker.io", "ghcr.io", "http://10.0.0.5:5000"])).toEqual([
    {
      host: "docker.io",
      server: "https://registry-1.docker.io",
      atRoot: true,
      mappings: [{ upstream: "", local: "docker.io" }],
    },
    {
      host: "ghcr.io",
      server: "https://ghcr.io",
      atRoot: false,
      mappings: [{ upstream: "", local: "ghcr.io" }],
    },
    {
      host: "10.0.0.5:5000",
      server: "http://10.0.0.5:5000",
      atRoot: false,
      mappings: [{ upstream: "", local: "10.0.0.5_5000" }],
    },
  ]);
});

describe("rules of content, by the beginnings of names", () => {
  const rows: readonly (readonly [readonly object[], readonly NameMapping[]])[] = [
    [[], [{ upstream: "", local: "" }]],
    [[{ prefix: "**", destination: "/docker.io" }], [{ upstream: "", local: "docker.io" }]],
    [
      [{ prefix: "team/**", destination: "/ours", stripPrefix: true }],
      [{ upstream: "team", local: "ours" }],
    ],
    [[{ prefix: "/team/**", destination: "/ours" }], [{ upstream: "team", local: "ours/team" }]],
    [[{ prefix: "podman/hello" }], [{ upstream: "podman/hello", local: "podman/hello" }]],
    [
      [{ prefix: "team/**", destination: "/", stripPrefix: true }],
      [{ upstream: "team", local: "" }],
    ],
    [
      [
        { prefix: "a/*", destination: "/first" },
        { prefix: "a/**", destination: "/second" },
      ],
      [{ upstream: "a", local: "first/a" }],
    ],
  ];
  test.each(rows)("%j", (content, expected) => {
    const [host] = told([], [{ urls: ["https://quay.io"], content }]);
    expect(host?.mappings).toEqual([...expected]);
  });
});

test("each URL of an entry is an upstream, and what is only mirrored from time to time is none", () => {
  const urls = ["https://a.example", "https://b.example:5000"];
  expect(told([], [{ urls }]).map(({ host }) => host)).toEqual(["a.example", "b.example:5000"]);
  expect(told([], [{ urls, onDemand: false }])).toEqual([]);
});

test("Docker Hub is at the root where its names are the names here", () => {
  const urls = ["https://docker.io"];
  expect(told([], [{ urls }])[0]?.atRoot).toBe(true);
  expect(told([], [{ urls, content: [{ prefix: "**", destination: "/hub" }] }])[0]?.atRoot).toBe(
    false,
  );
});
