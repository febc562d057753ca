// Layers over each other: whiteouts, opaque directories, files in the place of directories; and what differs.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compareFiles, changesMax } from "./compare_files.ts";
import { compareImageFiles } from "./compare_image_files.ts";
import { FileTree } from "./file_tree.ts";
import type { LayerEntry } from "./layer_listing.ts";
import { LayerProblem } from "./layer_problem.ts";

/** `dir/` is a directory, everything else a file whose content is what follows `=`. */
function entry(text: string): LayerEntry {
  const [path = "", content = ""] = text.split("=");
  const isDirectory = path.endsWith("/");
  return {
    path: path.replace(/\/$/, ""),
    type: isDirectory ? "directory" : "file",
    mode: 0o644,
    owner: "0:0",
    sizeBytes: content.length,
    hash: isDirectory ? null : content,
    target: null,
  };
}

function treeOf(...layers: readonly (readonly string[])[]): FileTree {
  const tree = new FileTree();
  for (const layer of layers) tree.apply(layer.map(entry));
  return tree;
}

const paths = (tree: FileTree): string[] => [...tree.entries()].map(({ path }) => path);

const rows: readonly (readonly [name: string, layers: string[][], paths: string[]])[] = [
  [
    "a later layer adds and replaces",
    [
      ["a", "b=1"],
      ["b=2", "c"],
    ],
    ["a", "b", "c"],
  ],
  ["a whiteout takes a file", [["d/a", "d/b"], ["d/.wh.a"]], ["d/b"]],
  ["a whiteout takes a directory", [["d/", "d/a", "d/e/f"], [".wh.d"]], []],
  ["a whiteout of what is not there", [["a"], [".wh.b", "no/.wh.c"]], ["a"]],
  [
    "an opaque directory",
    [
      ["d/", "d/a", "e"],
      ["d/.wh..wh..opq", "d/b"],
    ],
    ["d", "d/b", "e"],
  ],
  ["an opaque mark after its own files", [["d/a"], ["d/b", "d/.wh..wh..opq"]], ["d/b"]],
  [
    "an opaque root",
    [
      ["a", "b/c"],
      [".wh..wh..opq", "d"],
    ],
    ["d"],
  ],
  ["a whiteout leaves its own layer's files", [["d/a"], [".wh.d", "d/b"]], ["d/b"]],
  ["a whiteout after a file of its own layer", [["a=1"], ["a=2", ".wh.a"]], ["a"]],
  ["a file in the place of a directory", [["d/", "d/a"], ["d=1"]], ["d"]],
  ["a directory in the place of a file", [["d=1"], ["d/", "d/a"]], ["d", "d/a"]],
  ["a file below what was a file", [["d=1"], ["d/a"]], ["d/a"]],
  ["a directory again keeps its content", [["d/", "d/a"], ["d/"]], ["d", "d/a"]],
  ["other names of aufs", [["a"], [".wh..wh.plnk", ".wh..wh.aufs"]], ["a"]],
  ["a whiteout in the first layer", [[".wh.a", "b"]], ["b"]],
  ["names of every object", [["__proto__", "constructor/a"], [".wh.__proto__"]], ["constructor/a"]],
];

describe("layers", () => {
  test.each([...rows])("%s", (_name, layers, expected) => {
    expect(paths(treeOf(...layers))).toEqual(expected);
  });

  test("names of many components are bounded together, not each alone", () => {
    const tail = Array.from({ length: 2_000 }, () => "d").join("/");
    const layer = Array.from({ length: 600 }, (_, number) => `${number}/${tail}`);
    expect(() => treeOf(layer)).toThrow(LayerProblem);
  });

  test("a path of thousands of components", () => {
    const deep = Array.from({ length: 2_000 }, () => "d").join("/");
    expect(paths(treeOf([deep]))).toEqual([deep]);
  });

  test("the same as by a plain list of paths", () => {
    const name = fc.constantFrom("a", "b", ".wh.a", ".wh.b", ".wh..wh..opq");
    const path = fc
      .array(name, { minLength: 1, maxLength: 3 })
      .map((parts) =>
        [...parts.slice(0, -1).map((part) => part.replace(/^\.wh\..*/, "d")), parts.at(-1)].join(
          "/",
        ),
      );
    const layer = fc.uniqueArray(path, { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 4 }), (layers) => {
        expect(paths(treeOf(...layers)).toSorted()).toEqual(plainly(layers));
      }),
    );
  });
});

/** The same rules over a list. */
function plainly(layers: readonly (readonly string[])[]): string[] {
  let files = new Set<string>();
  for (const layer of layers) {
    for (const path of layer) {
      const slash = path.lastIndexOf("/") + 1;
      const [parent, name] = [path.slice(0, slash), path.slice(slash)];
      if (name === ".wh..wh..opq")
        files = new Set([...files].filter((file) => !file.startsWith(parent)));
      else if (name.startsWith(".wh.")) {
        const gone = parent + name.slice(4);
        files = new Set([...files].filter((file) => file !== gone && !file.startsWith(`${gone}/`)));
      }
    }
    for (const path of layer) {
      if (path.slice(path.lastIndexOf("/") + 1).startsWith(".wh.")) continue;
      const parts = path.split("/");
      const above = new Set(parts.map((_, at) => parts.slice(0, at).join("/")));
      files = new Set(
        [...files].filter((file) => !above.has(file) && !file.startsWith(`${path}/`)),
      );
      files.add(path);
    }
  }
  return [...files].toSorted();
}

describe("comparison", () => {
  test("added, removed and changed, with sizes", () => {
    const told = compareFiles(treeOf(["a=1", "b=22", "c=333"]), treeOf(["b=22", "c=4444", "d=5"]));
    expect(told.added).toEqual([{ path: "d", type: "file", sizeBytes: 1 }]);
    expect(told.removed).toEqual([{ path: "a", type: "file", sizeBytes: 1 }]);
    expect(told.changed).toEqual([
      { path: "c", type: "file", sizeBytes: 4, sizeBytesBefore: 3, what: ["content"] },
    ]);
    expect(told.counts).toEqual({ added: 1, removed: 1, changed: 1, same: 1 });
    expect([told.addedBytes, told.removedBytes, told.grownBytes]).toEqual([1, 1, 1]);
  });

  test("what is another: type, mode, owner, target", () => {
    const was = { ...entry("a=1") };
    const tree = (is: LayerEntry): FileTree => {
      const made = new FileTree();
      made.apply([is]);
      return made;
    };
    const what = (is: LayerEntry): readonly string[] | undefined =>
      compareFiles(tree(was), tree(is)).changed[0]?.what;
    expect(what({ ...was, mode: 0o755 })).toEqual(["mode"]);
    expect(what({ ...was, owner: "1:1" })).toEqual(["owner"]);
    expect(what({ ...was, type: "symlink", target: "b" })).toEqual(["type"]);
    expect(what({ ...was })).toBeUndefined();
  });

  test("lists end, counts do not", () => {
    const many = Array.from({ length: changesMax + 5 }, (_, at) => `f${at}`);
    const told = compareFiles(treeOf([]), treeOf(many));
    expect([told.added.length, told.counts.added, told.isCutOff]).toEqual([
      changesMax,
      many.length,
      true,
    ]);
  });

  test("a layer that is shared is read once; a problem names its layer", async () => {
    const layer = (digest: string) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest,
      size: 1,
    });
    const read: string[] = [];
    const told = await compareImageFiles(
      { a: [layer("x"), layer("y")], b: [layer("x"), layer("z")] },
      async ({ digest }) => {
        read.push(digest);
        return [entry(digest)];
      },
    );
    expect(read).toEqual(["x", "y", "z"]);
    expect(told).toMatchObject({ counts: { added: 1, removed: 1, same: 1 } });
    const broken = await compareImageFiles({ a: [layer("x")], b: [] }, async () => {
      throw new LayerProblem("it is no tar archive");
    });
    expect(broken).toEqual({ problem: "layer x: it is no tar archive" });
  });

  test("files of the same bytes are told by their own names", async () => {
    const file = (name: string) => ({
      mediaType: "application/octet-stream",
      digest: "sha256:e",
      size: 0,
      annotations: { "org.opencontainers.image.title": name },
    });
    const lists = async () => [];
    const told = await compareImageFiles(
      { a: [file("one"), file("two")], b: [file("two"), file("three")] },
      lists,
    );
    expect(told).toMatchObject({
      added: [{ path: "three" }],
      removed: [{ path: "one" }],
      counts: { same: 1 },
    });
  });

  test("a layer of an artifact that is one file is not read", async () => {
    const file = (digest: string) => ({
      mediaType: "application/octet-stream",
      digest: `sha256:${digest}`,
      size: 7,
      annotations: { "org.opencontainers.image.title": "model.gguf" },
    });
    const told = await compareImageFiles({ a: [file("a")], b: [file("b")] }, async () => {
      throw new Error("nothing is read");
    });
    expect(told).toMatchObject({ changed: [{ path: "model.gguf", what: ["content"] }] });
  });
});
