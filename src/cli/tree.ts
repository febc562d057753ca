// `zot tree`: what an image is made of, and what refers to it, as a tree.

import { imageTree, nodesMax, type ImageTree, type TreeNode } from "../inspect/image_tree.ts";
import { formatBytes } from "../lib/bytes.ts";
import { TransferError } from "../transfer/image_place.ts";
import { paint, shortDigest, type Colour } from "./colours.ts";
import type { Given, Output } from "./command.ts";
import {
  asksForJson,
  clientsOf,
  contentOf,
  imageName,
  parseLookedAt,
  referenceOf,
  withPlace,
} from "./looked_at.ts";
import { printable } from "./server_given.ts";
import { runLook } from "./transfer_failure.ts";

const labelLengthMax = 80;

/** Returns the exit status. */
export function treeCommand(given: Given, output: Output): Promise<number> {
  return runLook("tree", output, async (retries) => {
    const place = parseLookedAt(given.arguments["image"] ?? "");
    const isJson = asksForJson(given);
    const client = await (await clientsOf(given, [place]))(place);
    return withPlace(place, { retries, client }, async (source) => {
      const reference = await referenceOf(place, source);
      const tree = await imageTree(contentOf(source, retries), reference);
      const name = imageName(place, reference);
      if (tree === null) throw new TransferError(`${name}: it is not there`);
      output.out(
        isJson ? `${JSON.stringify({ name, ...tree }, null, 2)}\n` : drawn(name, tree, output),
      );
      return 0;
    });
  });
}

function drawn(name: string, { root, isCutOff }: ImageTree, output: Output): string {
  const colour = paint(output.colour);
  const lines = [`${printable(name)}\n`, ...branch(root, "", true, colour)];
  if (isCutOff)
    lines.push(`not all is shown: it has more than ${nodesMax} parts, or nests too deep\n`);
  return lines.join("");
}

function branch(
  node: TreeNode,
  indent: string,
  isLast: boolean,
  colour: (colour: Colour, text: string) => string,
): string[] {
  const line = `${indent}${isLast ? "└── " : "├── "}${shown(node, colour)}\n`;
  const below = `${indent}${isLast ? "    " : "│   "}`;
  return [
    line,
    ...node.children.flatMap((child, at) =>
      branch(child, below, at === node.children.length - 1, colour),
    ),
  ];
}

function shown(node: TreeNode, colour: (colour: Colour, text: string) => string): string {
  const { role, label, sizeBytes, isAbsent, digest } = node;
  const cut = printable(label.replaceAll(/\s+/g, " "));
  const name = cut.length > labelLengthMax ? `${cut.slice(0, labelLengthMax)}…` : cut;
  const parts = [
    role === "referrer" ? colour("yellow", `refers to it: ${name}`) : name,
    colour("dim", shortDigest(digest)),
    ...(sizeBytes === null ? [] : [formatBytes(sizeBytes)]),
    ...(isAbsent ? [colour("red", "absent")] : []),
  ];
  return parts.join("  ");
}
