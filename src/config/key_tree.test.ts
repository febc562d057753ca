// What wins when an option and a known key meet, and what is left refused.

import { describe, expect, test } from "bun:test";
import { optionTable } from "../lib/option.ts";
import { flag, text } from "../lib/option_types.ts";
import { childOf, findKey, keyTree, type KeyNode } from "./key_tree.ts";
import type { KnownKey } from "./known_keys.ts";

const options = {
  tls: optionTable({
    cert: { type: text, default: "", served: true, applies: "restart", says: "Certificate." },
  }),
  feature: {
    ...optionTable({
      on: { type: flag, default: false, served: true, applies: "restart", says: "On." },
      later: {
        type: flag,
        default: false,
        served: false,
        applies: "restart",
        feature: "more",
        says: "Later.",
      },
    }),
  },
};
const known: KnownKey[] = [
  { path: "tls", feature: "TLS", holds: "cert key client{ca names}" },
  { path: "feature.on", feature: "a feature" },
  { path: "driver", feature: "a driver", holds: "any" },
  { path: "map", feature: "maps", holds: "*{a b{c}}" },
  { path: "block", feature: "a block", switched: true, holds: "inner" },
];
const root = keyTree(options, known);

function at(path: string): KeyNode | null {
  let node: KeyNode | null = root;
  for (const key of path.split(".")) node = node === null ? null : childOf(node, key);
  return node;
}

describe("keyTree", () => {
  test("an option that is served puts the row of its path out of force", () => {
    expect(at("feature.on")).toMatchObject({ option: options.feature.on, refusal: null });
  });

  test("an option that is not served is refused with its default as the way out", () => {
    expect(at("feature.later")?.refusal).toEqual({
      path: "feature.later",
      feature: "more",
      off: false,
    });
  });

  test("a block that is served in part is a section whose rest is refused", () => {
    expect(at("tls")).toMatchObject({ option: null, refusal: null });
    expect(at("tls.cert")?.option).toBe(options.tls.cert);
    expect(at("tls.key")?.refusal).toEqual({ path: "tls.key", feature: "TLS" });
    expect(at("tls.client")?.refusal).toEqual({ path: "tls.client", feature: "TLS" });
  });

  test("case does not count, and a star is any name", () => {
    expect(at("TLS.Cert")?.name).toBe("cert");
    expect(at("map.Any/Name.b.C")?.name).toBe("c");
    expect(at("map.x.d")).toBeNull();
  });

  test("a driver's keys are its own, a switch is a key of its block", () => {
    expect(at("driver")?.open).toBe(true);
    expect(at("block.enable")?.name).toBe("enable");
    expect(at("block.inner")?.name).toBe("inner");
  });

  test("a key is found wherever it stands", () => {
    expect(findKey(root, "NAMES")).toBe("tls.client.names");
    expect(findKey(root, "nowhere")).toBeNull();
  });
});
