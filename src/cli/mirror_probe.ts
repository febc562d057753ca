// `zot mirror probe`: asks the mirror for one image of each upstream as a client would, and says in words what came.

import type { Exchange } from "../client/exchange.ts";
import { dockerHub, type MirroredHost } from "../lib/mirror_clients.ts";
import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import {
  inColumns,
  parseTarget,
  printable,
  wantsJson,
  withServer,
  type AskedServer,
} from "./server_given.ts";
import { mirrorsOf } from "./told_mirrors.ts";

/** Small images that are there for everybody. Any other upstream is asked for a name that it may not have. */
const known: Readonly<Record<string, readonly [name: string, tag: string]>> = {
  [dockerHub]: ["library/hello-world", "latest"],
  "mcr.microsoft.com": ["hello-world", "latest"],
  "public.ecr.aws": ["docker/library/hello-world", "latest"],
  "quay.io": ["podman/hello", "latest"],
  "registry.k8s.io": ["pause", "3.9"],
};
const anyName = ["zot-mirror-probe", "latest"] as const;

interface Probed {
  readonly host: string;
  readonly image: string;
  readonly works: boolean;
  readonly status: number;
  readonly result: string;
}

interface Asked {
  readonly host: string;
  readonly name: string;
  readonly tag: string;
}

/** `image` is one to ask for in place of the usual ones. Returns 0 when all of them work. */
export async function probeMirrors(
  given: Given,
  output: Output,
  image: string | null,
): Promise<number> {
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => {
      const mirrors = await mirrorsOf(server);
      const asked = image === null ? mirrors.map(usualOf) : [askedFor(image, mirrors)];
      const probed: Probed[] = [];
      for (const each of asked) probed.push(await probe(server, each));
      if (isJson) output.out(`${JSON.stringify(probed, null, 2)}\n`);
      else output.out(inColumns(["UPSTREAM", "IMAGE", "RESULT"], probed.map(rowOf)));
      return probed.every(({ works }) => works) ? 0 : 1;
    },
  });
}

function rowOf({ host, image, works, result }: Probed): string[] {
  return [host, image, `${works ? "works" : "fails"}: ${result}`];
}

function usualOf({ host, mappings }: MirroredHost): Asked {
  const usual = known[host] ?? anyName;
  const isAll = mappings.some(({ upstream }) => upstream === "");
  const [first] = mappings;
  const [name, tag] = isAll || first === undefined ? usual : [first.upstream, "latest"];
  return { host, name, tag };
}

/** Reads `ghcr.io/owner/app:1`. @throws Mistake for a registry that is not mirrored. */
function askedFor(image: string, mirrors: readonly MirroredHost[]): Asked {
  const target = parseTarget(image);
  const host = target.server?.replace(/^https?:\/\//, "") ?? dockerHub;
  if (!mirrors.some((each) => each.host === host)) {
    const hosts = mirrors.map((each) => each.host).join(", ");
    throw new Mistake(
      `expected an image of an upstream that is mirrored (${hosts}), got '${image}'`,
    );
  }
  const isShort = host === dockerHub && !target.repository.includes("/");
  const name = isShort ? `library/${target.repository}` : target.repository;
  return { host, name, tag: target.reference ?? "latest" };
}

async function probe({ client }: AskedServer, { host, name, tag }: Asked): Promise<Probed> {
  const url = `/v2/${name}/manifests/${tag}?ns=${encodeURIComponent(host)}`;
  const head = await client.exchange({ method: "HEAD", url });
  const image = `${host}/${name}${tag.includes(":") ? "@" : ":"}${tag}`;
  if (head.status === 200) {
    return { host, image, works: true, status: 200, result: foundWords(head) };
  }
  // HEAD has no words.
  const told = await client.exchange({ method: "GET", url });
  const { status } = told;
  if (status === 404) {
    return { host, image, works: true, status, result: "it was asked, and has no such image" };
  }
  const result = status === 401 ? loginWords : `${status} ${messageOf(told)}`;
  return { host, image, works: false, status, result };
}

const loginWords = "401 the mirror wants a login; docker, for one, cannot log in to a mirror";

const cacheWords: Readonly<Record<string, string>> = {
  hit: "from the cache, which was checked lately",
  fresh: "from the cache, and the upstream has the same",
  stale: "from the cache, since the upstream cannot be asked",
  miss: "fetched, and in the cache now",
};

function foundWords({ headers }: Exchange): string {
  const words = cacheWords[headers.get("X-Zot-Cache") ?? ""] ?? "pushed here";
  const warning = /^\d+ \S+ "(.*)"$/.exec(headers.get("Warning") ?? "")?.[1];
  return warning === undefined ? words : `${words} (${printable(warning)})`;
}

function messageOf({ body, reason }: Exchange): string {
  try {
    const told: { errors?: { message?: unknown }[] } = JSON.parse(new TextDecoder().decode(body));
    const message = told.errors?.[0]?.message;
    return typeof message === "string" ? message : reason;
  } catch {
    return reason;
  }
}
