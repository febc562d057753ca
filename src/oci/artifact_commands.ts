// Command lines of clients for an artifact, filled in for a place. For pages and terminals.
//
// Nothing is escaped for a shell: names, tags and digests have no character that would need it, and `host` is to be a host.

import type { ArtifactKind } from "./artifact_kinds/artifact_kind.ts";

export interface ArtifactPlace {
  /** Name or address with a port, as it stands in front of a repository's name. */
  readonly host: string;
  readonly isTls: boolean;
  readonly repository: string;
  /** At least one of the two is given. */
  readonly tag: string | null;
  readonly digest: string | null;
  /** Digest of what it is about, for signatures and the like. */
  readonly subject: string | null;
}

/** How each client is told of a registry that speaks plain HTTP; others must be told elsewhere, or guess. */
const plainFlags: Readonly<Record<string, string>> = {
  podman: " --tls-verify=false",
  containerd: " --plain-http",
  nerdctl: " --insecure-registry",
  skopeo: " --src-tls-verify=false",
  crane: " --insecure",
  oras: " --plain-http",
  helm: " --plain-http",
  cosign: " --allow-http-registry",
  notation: " --insecure-registry",
  apptainer: " --no-https",
  singularity: " --no-https",
  modctl: " --plain-http",
  ollama: " --insecure",
  kit: " --plain-http",
  wkg: " --insecure",
  zarf: " --plain-http",
  soci: " --plain-http",
  conftest: " --plain-http",
};

/** Flags that take a value, which is the host. */
const hostFlags: ReadonlySet<string> = new Set(["wkg"]);

/** One line per client, in the order of the table; those that need what is not known are left out. */
export function artifactCommands(
  { commands }: Pick<ArtifactKind, "commands">,
  place: ArtifactPlace,
): [client: string, line: string][] {
  const values = valuesOf(place);
  const found = new Map<string, string>();
  for (const [client, line] of commands) {
    const filled = fill(line, { ...values, plain: plainFlag(client, place) });
    if (filled !== null && !found.has(client)) found.set(client, filled);
  }
  return [...found];
}

function valuesOf(place: ArtifactPlace): Record<string, string | null> {
  const { host, repository: path, tag, digest, subject } = place;
  const repository = `${host}/${path}`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const end = tag !== null ? `:${tag}` : digest !== null ? `@${digest}` : null;
  return {
    reference: end === null ? null : `${repository}${end}`,
    repository,
    name,
    identifier: name.replaceAll(/[^a-z0-9]/gi, "_"),
    tag,
    // A tag has no "+", for which helm writes "_".
    version: tag === null ? null : tag.replaceAll("_", "+"),
    digest,
    subject: subject === null ? null : `${repository}@${subject}`,
  };
}

/** `helm install` is a command of helm. */
function plainFlag(client: string, { isTls, host }: ArtifactPlace): string {
  if (isTls) return "";
  const program = client.split(" ", 1)[0] ?? client;
  const flag = plainFlags[program] ?? "";
  return hostFlags.has(program) ? `${flag} ${host}` : flag;
}

/** Null where a value is missing. */
function fill(line: string, values: Readonly<Record<string, string | null>>): string | null {
  let isWhole = true;
  const filled = line.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? null;
    if (value === null) isWhole = false;
    return value ?? "";
  });
  return isWhole ? filled : null;
}
