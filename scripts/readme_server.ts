// The server that a page's blocks talk to: this checkout's, started anew with each configuration that the page serves.
//
// Addresses and paths of a page are replaced by the test's: 127.0.0.1:8080 and registry.example.com by the server's
// address, /var/lib/zot by its root directory, other paths of the system by paths below the reader's home. Root and
// port stay from one configuration to the next, and so does each configuration, under the later ones. `check_readme.ts`
// runs the blocks, `readme_world.ts` is the reader's machine.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { freePort, startZot, type Zot } from "../test/harness.ts";
import type { World } from "./readme_world.ts";

/** Directories of the system that pages write to; `/etc/zot` they make themselves. */
const systemDirectories = ["etc", "backup", "var/log/zot"];
/** Names in certificates stay. */
const writtenAddresses = /127\.0\.0\.1:8080|(?<!DNS:|CN=)registry\.example\.com(?::\d+)?/g;

export class PageServer implements AsyncDisposable {
  readonly rootDirectory: string;
  readonly #world: World;
  #zot: Zot;
  #config: object = {};

  private constructor(world: World, zot: Zot) {
    this.#world = world;
    this.rootDirectory = zot.rootDirectory;
    this.#zot = zot;
  }

  static async start(world: World): Promise<PageServer> {
    for (const path of systemDirectories) await mkdir(join(world.home, path), { recursive: true });
    const rootDirectory = join(world.home, ".local/share/zot");
    const http = { port: String(await freePort()) };
    return new PageServer(
      world,
      await startZot({ rootDirectory, config: { http }, env: world.env }),
    );
  }

  get url(): string {
    return this.#zot.url;
  }

  /** A block's text as it is meant for this server. */
  edited(text: string): string {
    const { home } = this.#world;
    return text
      .replaceAll(writtenAddresses, this.#zot.host)
      .replaceAll(/(?<![\w.~}-])\/var\/lib\/zot\b/g, this.rootDirectory)
      .replaceAll(/(?<![\w.~}-])\/(etc\/zot|backup|var\/log\/zot)\b/g, `${home}/$1`);
  }

  /** Stops, and starts again with a configuration in YAML, added to what was served before. */
  async serve(yaml: string): Promise<void> {
    this.#config = merged(this.#config, parse(this.edited(yaml))) as object;
    const place = { http: { address: "127.0.0.1", port: String(this.#zot.port) } };
    const config = merged(this.#config, place) as object;
    const { env } = this.#world;
    await this.#zot[Symbol.asyncDispose]();
    this.#zot = await startZot({ rootDirectory: this.rootDirectory, config, env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zot[Symbol.asyncDispose]();
  }
}

/** Objects are merged key by key; everything else is replaced. */
function merged(base: unknown, changes: unknown): unknown {
  if (!isPlain(base) || !isPlain(changes)) return changes;
  const keys = Object.keys({ ...base, ...changes });
  return Object.fromEntries(
    keys.map((key) => [key, key in changes ? merged(base[key], changes[key]) : base[key]]),
  );
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
