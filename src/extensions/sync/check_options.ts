/**
 * What options of mirroring must fulfil together, and what is unwise in them. Each is one line that begins with the
 * option's path.
 */
import { ruleProblem } from "./content_rules.ts";
import { jwtBearerGrant, jwtTokenType, tokenExchangeGrant } from "../../lib/cloud/oauth2_names.ts";
import { folderOf, hostOfUrl } from "./hosts.ts";
import { sharedNames } from "./shared_names.ts";
import { type OAuth2Values, ownKeys, type RegistryValues, type SyncValues } from "./options.ts";

const grantTypes = ["client_credentials", jwtBearerGrant, tokenExchangeGrant];
/** What cannot work. */
export function checkSyncOptions(sync: SyncValues): string[] {
  if (!sync.enable) return [];
  return [
    ...sync.registries.flatMap((entry, index) =>
      entryProblems(entry).map((says) => `extensions.sync.registries[${index}].${says}`),
    ),
    ...mirrorProblems(sync),
    ...nameProblems(sync),
  ];
}

function entryProblems(entry: RegistryValues): string[] {
  const problems: string[] = [];
  const { maxRetries = 0, retryDelay, maxRetryDelay } = entry;
  if (maxRetries > 0 && retryDelay === undefined) {
    problems.push("retryDelay: expected a duration beside maxRetries, got none");
  }
  if (maxRetryDelay !== undefined && maxRetryDelay < (retryDelay ?? 0)) {
    problems.push("maxRetryDelay: expected at least retryDelay, got less");
  }
  if (entry.manifestCheckInterval > 0 && !entry.onDemand) {
    problems.push(
      "manifestCheckInterval: expected onDemand beside it, since it is about pulls; got false",
    );
  }
  for (const [index, rule] of entry.content.entries()) {
    const problem = ruleProblem(rule);
    if (problem !== null) problems.push(`content[${index}]: expected ${problem}`);
  }
  return [...problems, ...loginProblems(entry)];
}

function loginProblems(entry: RegistryValues): string[] {
  const { credentials, credentialHelper, oauth2CredentialHelper: oauth2 } = entry;
  const problems: string[] = [];
  if (credentials !== undefined) {
    const given = [credentials.password, credentials.passwordFile].filter((each) => each !== null);
    if (given.length !== 1) {
      const got = given.length === 0 ? "neither" : "both";
      problems.push(`credentials: expected password or passwordFile, got ${got}`);
    }
    if (credentialHelper !== null) {
      problems.push("credentialHelper: expected it or credentials, got both; remove one");
    }
  }
  if (credentialHelper === "oauth2") problems.push(...oauth2Problems(oauth2));
  else if (oauth2 !== undefined) {
    problems.push('oauth2CredentialHelper: expected credentialHelper "oauth2" beside it');
  }
  return problems;
}

function oauth2Problems(oauth2: OAuth2Values | undefined): string[] {
  const at = "oauth2CredentialHelper";
  if (oauth2 === undefined) return [`${at}: expected a section with tokenURL, got none`];
  const problems: string[] = [];
  const { tokenURL, assertionFile, signingFile, grantType, audience } = oauth2;
  if (!/^https?:\/\/[^\s@]+$/i.test(tokenURL)) {
    problems.push(
      `${at}.tokenURL: expected the URL of a token endpoint, got ${JSON.stringify(tokenURL)}`,
    );
  }
  if ((assertionFile === null) === (signingFile === null)) {
    const got = assertionFile === null ? "neither" : "both";
    problems.push(`${at}: expected assertionFile or signingFile, got ${got}`);
  }
  if (grantType !== null && !grantTypes.includes(grantType)) {
    problems.push(
      `${at}.grantType: expected one of ${grantTypes.join(", ")}, got ${JSON.stringify(grantType)}`,
    );
  }
  const types = [oauth2.subjectTokenType, oauth2.requestedTokenType];
  if (grantType !== tokenExchangeGrant) {
    if ([audience, ...types].some((each) => each !== null)) {
      problems.push(
        `${at}: expected audience, subjectTokenType and requestedTokenType with the grantType ${tokenExchangeGrant} alone`,
      );
    }
    return problems;
  }
  if (audience === null) problems.push(`${at}.audience: expected a name of the target, got none`);
  if (types.some((each) => each !== null && !/^[a-z][a-z0-9+.-]*:\S+$/i.test(each))) {
    problems.push(`${at}: expected token types as absolute URIs, such as "${jwtTokenType}"`);
  }
  return problems;
}

/** The same registry twice, or one whose folder another entry has. */
function mirrorProblems({ mirrors, registries }: SyncValues): string[] {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const [index, mirror] of mirrors.entries()) {
    const host = hostOfUrl(mirror);
    const first = seen.get(folderOf(host));
    if (first !== undefined) {
      problems.push(
        `extensions.sync.mirrors[${index}]: expected each registry once, got ${first} again`,
      );
    }
    seen.set(folderOf(host), host);
  }
  for (const [index, { content, urls, onDemand }] of registries.entries()) {
    for (const { destination } of onDemand ? content : []) {
      const host = seen.get(destination.replaceAll(/^\/+|\/+$/g, ""));
      if (host === undefined || urls.some((url) => hostOfUrl(url) === host)) continue;
      problems.push(
        `extensions.sync.registries[${index}].content: expected a destination of its own, got that of the mirror of ${host}`,
      );
    }
  }
  return problems;
}

/** Repositories of one upstream that rounds would write into one repository here, each over the other. */
function nameProblems({ registries }: SyncValues): string[] {
  return sharedNames(registries).flatMap(({ rule, first, isOneUpstream, areCopied }) =>
    isOneUpstream && areCopied
      ? [`extensions.sync.${rule}: expected a destination of its own, got the names of ${first}`]
      : [],
  );
}

/** What changes nothing, or hardly what was meant. */
export function syncWarnings(sync: SyncValues, keepsTags: readonly string[]): string[] {
  if (!sync.enable) return [];
  const warnings: string[] = [];
  if (sync.registries.length === 0 && sync.mirrors.length === 0) {
    warnings.push("extensions.sync: names no registry, so nothing is mirrored");
  }
  if (sync.downloadDir !== null) {
    warnings.push(
      "extensions.sync.downloadDir: has no effect: what is mirrored is written where it stays",
    );
  }
  for (const { rule, first, isOneUpstream } of sharedNames(sync.registries)) {
    const says = isOneUpstream
      ? `no pull gets what it names, since ${first} gives other repositories the same names`
      : `has the names of ${first}: a repository is of the upstream that is first to have it; give each a destination`;
    warnings.push(`extensions.sync.${rule}: ${says}`);
  }
  for (const [index, entry] of sync.registries.entries()) {
    const place = `extensions.sync.registries[${index}]`;
    warnings.push(...entryWarnings(entry, keepsTags).map((says) => `${place}${says}`));
  }
  return warnings;
}

function entryWarnings(entry: RegistryValues, policies: readonly string[]): string[] {
  const warnings: string[] = [];
  const { onDemand, pollInterval, content, platforms, preserveDigest } = entry;
  if (!onDemand && (pollInterval === 0 || content.length === 0)) {
    const lacks = pollInterval === 0 ? "onDemand nor pollInterval" : "onDemand nor content";
    warnings.push(`: has neither ${lacks}, so nothing of it is mirrored`);
  } else if (pollInterval > 0 && content.length === 0) {
    warnings.push(".pollInterval: has no effect without content, which says what to copy");
  }
  if (platforms.length > 0 && pollInterval === 0) {
    warnings.push(
      ".platforms: has no effect without pollInterval: of an index those come that are pulled",
    );
  }
  if (preserveDigest === false) {
    warnings.push(".preserveDigest: has no effect: manifests are kept as they are");
  }
  if (entry.disableHTTP2 === false) {
    warnings.push(".disableHTTP2: has no effect: upstreams are always asked in HTTP/1.1");
  }
  if (!onDemand && content.some(({ tags }) => tags !== undefined) && pollInterval === 0) {
    warnings.push(
      ".content: tags choose what is copied from time to time, and need a pollInterval",
    );
  }
  if (!entry.tlsVerify && entry.urls.some((url) => /^https:/i.test(url))) {
    warnings.push(".tlsVerify: anybody on the way can answer in the name of this upstream");
  }
  const own = ownKeys.filter((key) => !isDefault(entry, key));
  if (own.length > 0) warnings.push(`: zot (Go) does not know ${own.join(", ")}`);
  for (const { destination, prefix } of content) {
    const name =
      destination === "" ? prefix.replace(/^\/+/, "") : destination.replaceAll(/^\/+|\/+$/g, "");
    if (policies.includes(name) || policies.includes(`${name}/**`)) {
      warnings.push(
        `.content: storage.retention may remove what is mirrored as ${name}, and it comes back`,
      );
    }
  }
  return warnings;
}

const plain: Partial<Record<keyof RegistryValues, unknown>> = {
  serveStale: true,
  listTags: "local",
  allowPush: true,
  onDenied: "serve",
  onClientGone: "finish",
  propagateDeletes: false,
  relayUnknownBlobs: false,
  bytesPerSecond: 0,
  proxy: null,
  caFile: null,
};

function isDefault(entry: RegistryValues, key: keyof RegistryValues): boolean {
  const value = entry[key];
  if (Array.isArray(value)) return value.length === 0;
  if (key === "cache") return entry.cache.maxBytes === 0 && entry.cache.unpulledFor === 0;
  return value === undefined || value === plain[key];
}
