/**
 * How `bin/zot` starts the program: from a bundle of the sources where there is one that is what they are now, which
 * takes half the processor time, else from the sources themselves.
 */
import { join } from "node:path";
import { freshBundle } from "./cli/bundle.ts";

const root = join(import.meta.dir, "..");
await import(freshBundle(root, process.argv[2]) ?? "./main.ts");
