// `zot undelete` and `zot purge`: content by its digest, brought back or removed for good.

import type { Given, Output } from "./command.ts";
import { Mistake, text } from "./registry_flags.ts";
import {
  failed,
  parseTarget,
  printable,
  wantsJson,
  withServer,
  type Target,
} from "./server_given.ts";

export async function undeleteCommand(given: Given, output: Output): Promise<number> {
  return undelete(given, output).catch((error: unknown) => failed(error, output));
}

async function undelete(given: Given, output: Output): Promise<number> {
  const target = digestTarget(given.arguments["reference"] ?? "");
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: target.server,
    run: async (server) => {
      const path = `/v2/${target.repository}/_zot/undelete`;
      const answer = await server.ask("POST", path, { digest: target.reference });
      if (isJson) output.out(`${JSON.stringify(answer, null, 2)}\n`);
      else output.out(`${shown(target)} is back${pinned(answer)}\n`);
      return 0;
    },
  });
}

export async function purgeCommand(given: Given, output: Output): Promise<number> {
  return purge(given, output).catch((error: unknown) => failed(error, output));
}

async function purge(given: Given, output: Output): Promise<number> {
  const target = digestTarget(given.arguments["reference"] ?? "");
  const reason = text(given, "reason");
  if (reason === null) throw new Mistake("expected --reason, which history keeps; got none");
  const isJson = wantsJson(given);
  return withServer(given, output, {
    server: target.server,
    run: async (server) => {
      const path = `/v2/${target.repository}/_zot/purge`;
      const answer = await server.ask("POST", path, { digest: target.reference, reason });
      if (isJson) output.out(`${JSON.stringify(answer, null, 2)}\n`);
      else output.out(`${shown(target)} is gone for good\n${others(answer)}`);
      return 0;
    },
  });
}

type DigestTarget = Target & { readonly reference: string };

function digestTarget(given: string): DigestTarget {
  const target = parseTarget(given);
  const { reference } = target;
  if (reference?.includes(":") !== true) {
    throw new Mistake(`expected a digest, such as team/app@sha256:…; got '${given}'`);
  }
  return { ...target, reference };
}

function shown({ repository, reference }: DigestTarget): string {
  return `${repository}@${reference}`;
}

function pinned(answer: unknown): string {
  const until = (answer as { pinnedUntil?: unknown } | null)?.pinnedUntil;
  return typeof until === "string" ? `; collection leaves it alone until ${until}` : "";
}

function others(answer: unknown): string {
  const names = (answer as { alsoIn?: unknown } | null)?.alsoIn;
  if (!Array.isArray(names) || names.length === 0) return "";
  return `other repositories have it still: ${printable(names.join(", "))}\n`;
}
