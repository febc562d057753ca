// `zot mirror snippets`: the files by which a client pulls through the mirror, of the server that runs or of a
// configuration.
//
// With `--for` standard output is the file alone, so that it can be redirected; what to do with it is on standard error.

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PolicyCaller } from "../auth/caller.ts";
import { hasAccessControl, isAuthConfigured } from "../auth/check_options.ts";
import { compilePolicy } from "../auth/compile_policy.ts";
import { anonymous } from "../auth/identity.ts";
import type { Config } from "../config/load.ts";
import {
  clients,
  type ClientName,
  type MirroredHost,
  type MirrorPlace,
  type Snippet,
} from "../lib/mirror_clients.ts";
import { mirroredBy, urlOf } from "../server.ts";
import { whereabouts } from "./announce.ts";
import type { Given, Output } from "./command.ts";
import { loadGiven } from "./load_given.ts";
import { Mistake, text } from "./registry_flags.ts";
import { wantsJson, withServer, type AskedServer } from "./server_given.ts";
import { mirrorsOf } from "./told_mirrors.ts";

/** The mirror that snippets are for. */
interface Told {
  readonly hosts: readonly MirroredHost[];
  /** Where clients reach it, unless the command line says. */
  readonly url: string;
  readonly isOpen: boolean | null;
}

interface Wanted {
  readonly only: ClientName | null;
  readonly isJson: boolean;
  /** Files are written below it; null to print them. */
  readonly directory: string | null;
}

export async function mirrorSnippets(
  given: Given,
  output: Output,
  configPath: string | null,
): Promise<number> {
  const wanted = {
    only: clientOf(given),
    isJson: wantsJson(given),
    directory: text(given, "write"),
  };
  if (wanted.directory !== null && wanted.only === null) {
    throw new Mistake("expected --for beside --write, such as --for containerd; got none");
  }
  if (configPath !== null) {
    const told = await toldByConfig(configPath, output);
    return told === null ? 2 : print(told, wanted, given, output);
  }
  return withServer(given, output, {
    server: text(given, "server"),
    run: async (server) => print(await toldByServer(server), wanted, given, output),
  });
}

function clientOf(given: Given): ClientName | null {
  const asked = text(given, "for");
  if (asked === null) return null;
  const names = Object.keys(clients) as ClientName[];
  const name = names.find((each) => each === asked);
  if (name !== undefined) return name;
  throw new Mistake(`expected --for one of ${names.join(", ")}; got '${asked}'`);
}

async function toldByConfig(path: string, output: Output): Promise<Told | null> {
  const loaded = await loadGiven(path);
  if ("problems" in loaded) {
    for (const problem of loaded.problems) output.error(`${problem}\n`);
    return null;
  }
  const { config } = loaded;
  const hosts = mirroredBy(config);
  if (hosts.length === 0) {
    throw new Mistake(
      "expected a configuration that mirrors something when asked, such as extensions.sync.mirrors; got none",
    );
  }
  const { cert } = config.http.tls;
  const certificate = cert === null ? null : await readFile(cert, "utf8").catch(() => null);
  const url = urlOf(config, config.http.port);
  return {
    hosts,
    url: whereabouts(config, url, certificate).outsideUrls[0] ?? url,
    isOpen: mayAnybodyPull(config, hosts),
  };
}

async function toldByServer(server: AskedServer): Promise<Told> {
  const hosts = await mirrorsOf(server);
  const { client } = server;
  const ping = await client.exchange({ method: "HEAD", url: "/v2/", login: "none" });
  const challenge = ping.headers.get("WWW-Authenticate") ?? "";
  // Who is offered a token may get one without a login.
  const isOpen = ping.status !== 401 ? true : /^bearer/i.test(challenge) ? null : false;
  return { hosts, url: client.url, isOpen };
}

/** Whether the configuration lets callers without a login read what is mirrored. */
function mayAnybodyPull({ http }: Config, hosts: readonly MirroredHost[]): boolean {
  if (!isAuthConfigured(http)) return true;
  if (!hasAccessControl(http.accessControl)) return false;
  const compiled = compilePolicy(http.accessControl);
  if ("problems" in compiled) return false;
  const caller = new PolicyCaller(anonymous, compiled.policy);
  const names = hosts.flatMap(({ mappings }) => mappings.map(({ local }) => join(local, "image")));
  return names.every((name) => caller.decideByPolicy("read", name, "any").allowed);
}

function placeOf(given: Given, { url, isOpen }: Told): MirrorPlace {
  const asked = text(given, "address");
  const [, scheme = null, address = null] =
    /^(?:(https?):\/\/)?([^\s/@?#"]+)\/?$/i.exec(asked ?? url) ?? [];
  if (address === null) {
    throw new Mistake(`expected --address such as zot.example:5000, got '${asked ?? url}'`);
  }
  const isTls = (scheme ?? url).toLowerCase().startsWith("https");
  const ca = text(given, "clientCa");
  if (ca !== null && !isTls) {
    throw new Mistake(`--client-ca is for TLS, and ${address} is reached without it`);
  }
  return { address, isTls, ca, isOpen };
}

async function print(told: Told, wanted: Wanted, given: Given, output: Output): Promise<number> {
  const place = placeOf(given, told);
  const { only, isJson, directory } = wanted;
  const names = only === null ? (Object.keys(clients) as ClientName[]) : [only];
  const snippets = names.map((name) => ({ name, ...clients[name].snippet(place, told.hosts) }));
  if (isJson) output.out(`${JSON.stringify(snippets, null, 2)}\n`);
  else if (directory !== null) for (const each of snippets) await write(each, directory, output);
  else if (only === null) output.out(snippets.map(sectionOf).join("\n"));
  else output.out(snippets.map(({ files }) => filesText(files)).join(""));
  if (only !== null && !isJson) tell(snippets, directory, output);
  if (/^(localhost|127\.|\[::1\])/.test(place.address)) {
    output.error(
      `zot: ${place.address} is this machine alone; --address says how clients elsewhere reach it\n`,
    );
  }
  // What a client cannot be told is no success for whoever asked for that one.
  return only !== null && snippets.every(({ files }) => files.length === 0) ? 1 : 0;
}

function tell(snippets: readonly Snippet[], directory: string | null, output: Output): void {
  for (const { files, apply, remarks } of snippets) {
    for (const remark of remarks) output.error(`zot: ${remark}\n`);
    if (files.length === 0) continue;
    if (directory === null) output.error(`zot: it belongs into ${pathsOf(files)}\n`);
    output.error(`zot: then: ${apply}\n`);
  }
}

function pathsOf(files: Snippet["files"]): string {
  return files.map(({ path }) => path).join(", ");
}

/** Of several files each has its path in front. */
function filesText(files: Snippet["files"]): string {
  if (files.length === 1) return files[0]?.text ?? "";
  return files.map(({ path, text: content }) => `# ${path}\n${content}`).join("\n");
}

function sectionOf({ name, files, apply, remarks }: Snippet & { name: ClientName }): string {
  const told = files.map(({ path, text: content }) => `# ${path}\n${content}\n`);
  const lines = [
    `### ${clients[name].title} (--for ${name})`,
    ...remarks.map((remark) => `# ${remark}`),
  ];
  const after = files.length === 0 ? "" : `# then: ${apply}\n`;
  return `${lines.join("\n")}\n${told.join("")}${after}`;
}

/** Files of others are left alone. */
async function write({ files }: Snippet, directory: string, output: Output): Promise<void> {
  for (const { path, text: content } of files) {
    const target = join(directory, path);
    if (existsSync(target) && (await readFile(target, "utf8")) !== content) {
      throw new Mistake(
        `expected no file at ${target}; there is one: put this into it\n${content}`,
      );
    }
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    output.out(`${target}\n`);
  }
}
