/**
 * The files of the interface in a worker: read, and in a checkout built, when somebody first asks for them.
 */
import { gunzipSync } from "node:zlib";
import { makePack, readPack } from "./interface_pack.ts";
import type { InterfacePack } from "./pack_shape.ts";

export type Encoding = "br" | "gzip" | null;

export interface ServedFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export class InterfaceFiles {
  readonly #onProblem: (problem: string) => void;
  readonly #served = new Map<string, Uint8Array>();
  #pack: Promise<InterfacePack | null> | null = null;

  constructor(onProblem: (problem: string) => void) {
    this.#onProblem = onProblem;
  }

  /** The page without its base; null where the interface cannot be had. */
  async html(): Promise<string | null> {
    return (await this.#load())?.html ?? null;
  }

  /** A file in an encoding; null for a name that the page does not load. */
  async file(name: string, encoding: Encoding): Promise<ServedFile | null> {
    const files = (await this.#load())?.files ?? {};
    const found = Object.hasOwn(files, name) ? files[name] : undefined;
    if (found === undefined) return null;
    const key = `${encoding ?? ""} ${name}`;
    let bytes = this.#served.get(key);
    if (bytes === undefined) {
      const stored = Buffer.from(encoding === "br" ? found.br : found.gzip, "base64");
      bytes = encoding === null ? gunzipSync(stored) : stored;
      this.#served.set(key, bytes);
    }
    return { type: found.type, bytes };
  }

  #load(): Promise<InterfacePack | null> {
    this.#pack ??= this.#readOrMake();
    return this.#pack;
  }

  async #readOrMake(): Promise<InterfacePack | null> {
    try {
      return (await readPack()) ?? (await makePack());
    } catch (error) {
      const said = error instanceof AggregateError ? error.errors.map(String).join("; ") : error;
      this.#onProblem(`the interface cannot be had: ${String(said)}`);
      return null;
    }
  }
}
