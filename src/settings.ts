/**
 * The settings that a worker answers requests with: made from the configuration at its start, and again whenever the
 * file changes.
 *
 * Settings are complete before they are used. A part that cannot be made (its file is gone) throws, and the settings in
 * force stay. Parts that the change does not touch go on: a caller who has logged in stays known. What only a restart
 * changes is in `server.ts`; `config/reload.ts` tells the two apart.
 */
import { join } from "node:path";
import type { App } from "./api/app.ts";
import { hasMethods, isAuthConfigured } from "./auth/check_options.ts";
import type { Auth, AuthSetup } from "./auth/open_auth.ts";
import type { TokenKeyPlace } from "./auth/token_key.ts";
import type { Throttle } from "./auth/throttle.ts";
import type { Config, RegistryConfig } from "./config/schema.ts";
import { Admission } from "./http/admission.ts";
import { Cors } from "./http/cors.ts";
import type { DispatchSettings } from "./http/dispatch.ts";
import type { ListenLimits } from "./http/listen.ts";
import { requireAddress } from "./http/listen_problem.ts";
import { OwnHosts } from "./http/own_hosts.ts";
import { PublicUrl } from "./http/public_url.ts";
import { limitsRates, RateLimits } from "./http/rate_limits.ts";
import { checkTls, readTlsFiles } from "./http/tls_material.ts";
import { matchesGlob, parseGlob } from "./lib/glob.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import { distrustFile, self } from "./lib/file_trust.ts";
import { checkLogFiles, type Log } from "./lib/log.ts";
import { NetworkSet } from "./lib/networks.ts";
import { undoSettings } from "./registry/history/undo_settings.ts";
import type { Metadata } from "./metadata/metadata.ts";
import { sharedSecret } from "./metadata/secrets.ts";
import type { Registry } from "./registry/registry.ts";
import { compileStores } from "./registry/retention/rules.ts";
import { dedupesIn } from "./registry/store_settings.ts";
import { QuotaGuard } from "./registry/usage/quota_guard.ts";
import { quotasOf } from "./registry/usage/quotas.ts";
import { Reservations } from "./registry/usage/reservations.ts";
import { ratesFile, reservedFile, tokenKeyFile } from "./storage/layout.ts";

/** Idle limit of a body while `http.readTimeout` is off. */
const uploadIdleDefaultMs = 5 * 60_000;

/** What stays as it is while settings come and go. */
export interface SettingsParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly throttle: Throttle;
  /** The rest of what handlers may use. */
  readonly app: Omit<
    App,
    | "redirectExcept"
    | "registry"
    | "auth"
    | "blobBytesMax"
    | "manifestBytesMax"
    | "publicUrl"
    | "uploadIdleMs"
  >;
}

export interface Settings {
  readonly config: RegistryConfig;
  readonly dispatch: DispatchSettings<App>;
  readonly listen: ListenLimits;
}

/** Makes settings; `before` are those in force. @throws with one line for the operator. */
export async function openSettings(
  config: RegistryConfig,
  parts: SettingsParts,
  before: Settings | null = null,
): Promise<Settings> {
  const { http, storage } = config;
  const auth = await openCallers(config, parts, before);
  const undo = undoSettings(storage);
  const app: App = {
    ...parts.app,
    registry: {
      ...parts.registry,
      dedupes: dedupesIn(storage),
      mayBeSparse: matcherOf(storage.sparseIndexes),
      undo: () => undo,
      retention: compileStores(storage),
      quotas: openQuotas(config, parts, before),
    },
    auth,
    redirectExcept: storage.redirectExcept.map((part) => part.toLowerCase()),
    blobBytesMax: http.blobBytesMax === 0 ? null : http.blobBytesMax,
    manifestBytesMax: http.manifestBytesMax,
    publicUrl: openPublicUrl(config, parts, before),
    uploadIdleMs: http.readTimeout === 0 ? uploadIdleDefaultMs : http.readTimeout,
  };
  const dispatch = {
    app,
    cors: openCors(config),
    proxies: http.trustedProxies.length === 0 ? null : new NetworkSet(http.trustedProxies),
    admission: auth === null ? null : new Admission({ ...auth, clock: parts.clock }),
    certificateRequired: isCertificateRequired(config),
    rates: openRates(config, parts.clock),
  };
  return { config, dispatch, listen: listenLimits(config) };
}

/** Where nobody logs in, pages get less: they could do all that their reader's machine can. */
function openCors({ http }: RegistryConfig): Cors {
  const { allowOrigin, externalUrl: ownUrl } = http;
  const canLogIn = hasMethods(http.auth) || http.tls.cacert !== null;
  const byDefault = canLogIn ? ["*"] : [];
  return new Cors({
    allowOrigin: allowOrigin === "auto" ? byDefault : allowOrigin,
    ownUrl,
    hosts: canLogIn ? null : new OwnHosts(http),
  });
}

/** Lets go of what later settings no longer use. Requests in flight go on with it. */
export function closeSettings({ dispatch: { app } }: Settings, after: Settings | null): void {
  if (app.auth !== after?.dispatch.app.auth) app.auth?.close();
}

/** Reads the files that callers are known by. @throws with one line for the operator. */
export async function checkSettings(
  config: RegistryConfig,
  log: Log,
  clock: Clock = systemClock,
): Promise<void> {
  if (!isAuthConfigured(config.http)) return;
  // Directories, tokens and what they are made of: a start that knows no callers does without.
  const { checkAuthFiles } = await import("./auth/open_auth.ts");
  const setup = authSetup(config, { log, clock }, null);
  for (const warning of await checkAuthFiles(config.http, setup)) log.warn(warning);
}

/** Everything wrong, and everything unwise, in the files that a configuration names. */
export interface FileFindings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads the files that a start reads besides its configuration (logs, certificates, what callers are known by), and
 * says what the start would say. Makes and keeps nothing; of the address only a name is looked up.
 */
export async function checkFiles(config: Config): Promise<FileFindings> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const attempt = async (check: () => void | Promise<void>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  };
  await attempt(() => requireAddress(config.http.address));
  await attempt(() => checkLogFiles(config.log));
  await attempt(async () => {
    const { cert, key, cacert } = config.http.tls;
    if (cert === null || key === null) return;
    const files = await readTlsFiles({ cert, key, cacert });
    warnings.push(...checkTls(files, systemClock.now()).warnings);
  });
  await attempt(async () => {
    if (!isAuthConfigured(config.http)) return;
    const { checkAuthFiles } = await import("./auth/open_auth.ts");
    const setup = { clock: systemClock, tokenKeyAt: null, report: () => {} };
    warnings.push(...(await checkAuthFiles(config.http, setup)));
  });
  return { problems, warnings: [...warnings, ...fileWarnings(config)] };
}

/** Files that say who callers are, and that others than this user, root and their own group may write. */
export function fileWarnings({ http: { auth, tls } }: RegistryConfig): string[] {
  const paths: readonly [option: string, path: string | null][] = [
    ["http.auth.htpasswd.path", auth.htpasswd.path],
    ["http.auth.bearer.cert", auth.bearer.cert],
    ["http.auth.ldap.credentialsFile", auth.ldap.credentialsFile],
    ["http.auth.ldap.caCert", auth.ldap.caCert],
    ...auth.bearer.oidc.map(({ certificateAuthorityFile }, index): [string, string] => [
      `http.auth.bearer.oidc[${index}].certificateAuthorityFile`,
      certificateAuthorityFile,
    ]),
    ["http.tls.cert", tls.cert],
    ["http.tls.key", tls.key],
    ["http.tls.cacert", tls.cacert],
  ];
  const me = self();
  return paths.flatMap(([option, path]) => {
    const found = path === null || path === "" ? null : distrustFile(path, me);
    if (found === null || (found.by === "group" && found.isOurs)) return [];
    return [`${option}: ${path}: ${found.says}, and so may say who callers are`];
  });
}

/** Null while nothing is limited. */
function openQuotas(
  { storage }: RegistryConfig,
  { registry: { metadata }, clock }: SettingsParts,
  before: Settings | null,
): QuotaGuard | null {
  if (quotasOf(storage).length === 0) return null;
  // What is reserved by one that goes on stays reserved.
  const found = before?.dispatch.app.registry.quotas ?? null;
  if (found !== null) return found;
  const { rootDirectory } = storage;
  const path = rootDirectory === null ? null : join(rootDirectory, reservedFile);
  return new QuotaGuard(metadata, new Reservations(path, clock));
}

/** Whether a name fits one of the globs, which the configuration has checked. */
function matcherOf(texts: readonly string[]): (name: string) => boolean {
  const globs = texts.flatMap((text) => {
    const parsed = parseGlob(text);
    return "glob" in parsed ? [parsed.glob] : [];
  });
  return (name) => globs.some((glob) => matchesGlob(glob, name));
}

/** One that goes on has given its warning. */
function openPublicUrl(
  { http: { externalUrl } }: RegistryConfig,
  { log }: SettingsParts,
  before: Settings | null,
): PublicUrl {
  const isSame = before !== null && before.config.http.externalUrl === externalUrl;
  if (isSame) return before.dispatch.app.publicUrl;
  return new PublicUrl(externalUrl, (line) => log.warn(line));
}

function authSetup(
  config: RegistryConfig,
  { log, clock }: Pick<SettingsParts, "log" | "clock">,
  metadata: Metadata | null,
): AuthSetup {
  const report: AuthSetup["report"] = (level, message, fields) => log[level](fields ?? {}, message);
  return { clock, tokenKeyAt: tokenKeyPlace(config, metadata), report };
}

/** Null where the key lies in metadata that are not open yet. */
function tokenKeyPlace(
  { storage: { rootDirectory, metadata: database } }: RegistryConfig,
  metadata: Metadata | null,
): TokenKeyPlace | null {
  if (rootDirectory === null) return "memory";
  const path = join(rootDirectory, tokenKeyFile);
  if (database.url === null) return { path };
  if (metadata === null) return null;
  return { path, shared: (make) => sharedSecret(metadata, tokenKeysName, make) };
}

const tokenKeysName = "token-keys";

/** Null when everybody may do everything. */
async function openCallers(
  config: RegistryConfig,
  parts: SettingsParts,
  before: Settings | null,
): Promise<Auth | null> {
  if (before !== null && Bun.deepEquals(callerOptions(config), callerOptions(before.config))) {
    return before.dispatch.app.auth;
  }
  if (!isAuthConfigured(config.http)) return null;
  const { registry, throttle } = parts;
  const { metadata } = registry;
  const { openAuth } = await import("./auth/open_auth.ts");
  return await openAuth(config.http, authSetup(config, parts, metadata), { metadata, throttle });
}

function callerOptions({
  http: { auth, accessControl, realm, externalUrl, tls },
}: RegistryConfig): object {
  return { auth, accessControl, realm, externalUrl, cacert: tls.cacert };
}

/** As in zot: clients must show a certificate when there is no other way to be known, or to be let in unknown. */
function isCertificateRequired({ http: { tls, auth, accessControl } }: RegistryConfig): boolean {
  if (tls.cacert === null || hasMethods(auth)) return false;
  const policies = Object.values(accessControl.repositories);
  return !policies.some(({ anonymousPolicy }) => anonymousPolicy.length > 0);
}

/** Null while nothing is limited: requests are not even counted then. */
function openRates(
  { http: { ratelimit }, storage: { rootDirectory } }: RegistryConfig,
  clock: Clock,
): RateLimits | null {
  if (!limitsRates(ratelimit)) return null;
  const path = rootDirectory === null ? null : join(rootDirectory, ratesFile);
  return new RateLimits(ratelimit, path, clock);
}

/** A worker's share of the server's connections: the kernel spreads them evenly. */
function listenLimits({ http }: RegistryConfig): ListenLimits {
  return {
    readIdleMs: http.readTimeout,
    writeIdleMs: http.writeTimeout,
    connectionsMax: Math.ceil(http.connectionsMax / http.workers),
  };
}
