// Every file in examples/ starts a server, and the full one names all that is served.

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadConfig } from "./load.ts";
import { optionRows } from "./reference.ts";

const directory = join(import.meta.dirname, "../../examples");
const names = readdirSync(directory).filter((name) => /^config-.*\.(json|ya?ml)$/.test(name));

/** They show something else, and leave it to the reader who may come in. */
const open = /^config-(container|tls)\.json$/;
/** They show rules that only this registry has. */
const own: Readonly<Record<string, RegExp>> = {
  "config-retention.yaml": /^storage\.retention\.policies\[0\]: zot \(Go\) does not know /,
  "config-mirror-private.yaml": /^extensions\.sync\.registries\[0\]: zot \(Go\) does not know /,
};

describe("examples", () => {
  test.each(names.filter((name) => !open.test(name) && !(name in own)))(
    "%s loads without a warning",
    async (name) => {
      expect(await loadConfig(join(directory, name), {})).toMatchObject({ warnings: [] });
    },
  );

  test.each(names.filter((name) => open.test(name)))("%s is warned of, and loads", async (name) => {
    const everybody = expect.stringContaining("everybody who reaches 0.0.0.0 may");
    expect(await loadConfig(join(directory, name), {})).toMatchObject({ warnings: [everybody] });
  });

  test.each(Object.entries(own))(
    "%s is told what zot does not know, and nothing else",
    async (name, line) => {
      const told = expect.stringMatching(line);
      expect(await loadConfig(join(directory, name), {})).toMatchObject({ warnings: [told] });
    },
  );

  test("the minimal JSON and YAML files say the same", async () => {
    const json = await loadConfig(join(directory, "config-minimal.json"), {});
    expect(json).toEqual(await loadConfig(join(directory, "config-minimal.yaml"), {}));
  });

  test("the full file has every key that is served, each under a comment", async () => {
    const text = await Bun.file(join(directory, "config-full.yaml")).text();
    // Keys without effect at present stand in it as comments; for this test they count.
    const uncommented = text.replaceAll(/^( *)# (\w+: \S+)$/gm, "$1$2");
    const file: unknown = parse(uncommented);
    const missing = optionRows().filter(({ path }) => valueAt(file, path) === undefined);
    expect(missing.map(({ path }) => path)).toEqual([]);
  });
});

function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const key of path.split(".")) {
    at = typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
  }
  return at;
}
