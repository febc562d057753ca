/**
 * Which login an upstream gets, in this order: that of its entry, its helper, the file of all logins, what `docker login`
 * left for the account that the server runs as.
 */
import type { Credentials, CredentialSource } from "../../../../client/client_auth.ts";
import { askHelper, dockerLogin, DockerLoginError } from "../../../../client/docker_login.ts";
import type { Clock } from "../../../../lib/clock.ts";
import { CloudLoginError } from "../../../../lib/cloud/cloud_login.ts";
import { KeptSecret } from "../../../../lib/cloud/kept_secret.ts";
import { stampOf } from "../../../../lib/operator_files.ts";
import { WatchedFile } from "../../../../lib/watched_file.ts";
import { hostOfUrl, loginKeysOf } from "../../hosts.ts";
import type { RegistryValues } from "../../options.ts";
import { ecrRenewBeforeMs, fetchEcrLogin } from "./ecr_login.ts";
import { fetchGcpLogin, gcpRenewBeforeMs } from "./gcp_login.ts";
import { type LoginFile, loginOf } from "./login_file.ts";
import { cloudParts, type Login, loginProblem, type LoginParts } from "./login_parts.ts";
import { fetchOAuth2Login, oauth2RenewBeforeMs } from "./oauth2_login.ts";

export interface SourceParts extends LoginParts {
  /** `credentialsFile`; null where there is none. */
  readonly file: LoginFile | null;
  /** Where Docker and Podman keep logins. */
  readonly dockerFiles: readonly string[];
  readonly report: (problem: string) => void;
}

/** Programs are asked again after so long; their files, once they changed. */
const programLastsMs = 5 * 60_000;
const anonymous: Credentials = { kind: "anonymous" };

/** The login for one URL of an entry. @throws with one line for what cannot be read. */
export function loginSource(
  url: string,
  entry: Pick<RegistryValues, "credentials" | "credentialHelper" | "oauth2CredentialHelper">,
  parts: SourceParts,
): CredentialSource {
  if (entry.credentials !== undefined) return ofEntry(entry.credentials, parts);
  if (entry.credentialHelper !== null) return ofHelper(url, entry, parts);
  const byDocker = ofDocker(url, parts);
  const { file } = parts;
  if (file === null) return byDocker;
  const keys = loginKeysOf(url);
  return async (anew) => {
    const { content } = file;
    const key = keys.find((each) => content.has(each));
    return (key === undefined ? undefined : content.get(key)) ?? byDocker(anew);
  };
}

function ofEntry(
  { username, password, passwordFile }: NonNullable<RegistryValues["credentials"]>,
  { clock, report }: SourceParts,
): CredentialSource {
  if (passwordFile === null) {
    const login = loginOf(username, password ?? "");
    return () => Promise.resolve(login);
  }
  const file = new WatchedFile({
    path: passwordFile,
    clock,
    onChange: (problem) => {
      if (problem !== null) report(problem);
    },
    parse: (bytes) => new TextDecoder().decode(bytes).replace(/\r?\n$/, ""),
  });
  return () => Promise.resolve(loginOf(username, file.content));
}

function ofHelper(
  url: string,
  { credentialHelper, oauth2CredentialHelper }: Parameters<typeof loginSource>[1],
  parts: SourceParts,
): CredentialSource {
  const { clock } = parts;
  const host = hostOfUrl(url);
  const kept = (fetch: () => Promise<Login>, renewBeforeMs: number): CredentialSource =>
    keptLogin(() => spoken(host, fetch), { clock, renewBeforeMs });
  const cloud = cloudParts(parts);
  if (credentialHelper === "ecr") return kept(() => fetchEcrLogin(host, cloud), ecrRenewBeforeMs);
  if (credentialHelper === "gcp") return kept(() => fetchGcpLogin(cloud), gcpRenewBeforeMs);
  if (credentialHelper === "oauth2" && oauth2CredentialHelper !== undefined) {
    return kept(() => fetchOAuth2Login(oauth2CredentialHelper, cloud), oauth2RenewBeforeMs);
  }
  const name = `docker-credential-${credentialHelper}`;
  return kept(async () => {
    const program = Bun.which(name, { PATH: parts.env["PATH"] ?? "" }) ?? name;
    const server = host === "docker.io" ? "https://index.docker.io/v1/" : host;
    const found = await askHelper(program, server, clock);
    return { credentials: found ?? anonymous, untilMs: clock.now() + programLastsMs };
  }, 0);
}

/** What Docker's files say, read again when one of them changed. One that this account may not read is not for it. */
function ofDocker(url: string, parts: SourceParts): CredentialSource {
  const { clock, dockerFiles } = parts;
  const host = hostOfUrl(url);
  let stamp = "";
  const fetch = async (): Promise<Login> => {
    const place = { host, repository: null };
    const files = dockerFiles.filter((path) => stampOf(path) !== "");
    const found = await spoken(host, () => dockerLogin(place, { files, clock }));
    return { credentials: found ?? anonymous, untilMs: clock.now() + programLastsMs };
  };
  let kept = keptLogin(fetch, { clock, renewBeforeMs: 0 });
  return (anew) => {
    const now = dockerFiles.map(stampOf).join("\n");
    if (now !== stamp) kept = keptLogin(fetch, { clock, renewBeforeMs: 0 });
    stamp = now;
    return kept(anew);
  };
}

async function spoken<T>(host: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof CloudLoginError) throw loginProblem(error.host, error.message, error);
    if (!(error instanceof DockerLoginError)) throw error;
    throw loginProblem(host, error.message, error);
  }
}

function keptLogin(
  fetch: () => Promise<Login>,
  options: { readonly clock: Clock; readonly renewBeforeMs: number },
): CredentialSource {
  const kept = new KeptSecret<Credentials>(async () => {
    const { credentials, untilMs } = await fetch();
    return { secret: credentials, untilMs };
  }, options);
  return (anew) => kept.get(anew);
}
