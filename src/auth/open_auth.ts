/**
 * From the configuration to everything that authenticates callers: the configured methods, the policy, the challenge.
 *
 * Every file is read before the server listens, and a problem is one line that names the file (and the line in it). A
 * file that changes later is read again; if it is not valid, the problem is logged and the old content stays in use.
 * Connections are opened only when a login needs them.
 */
import type { Clock } from "../lib/clock.ts";
import { Gate } from "../lib/gate.ts";
import type { Metadata } from "../metadata/metadata.ts";
import { ApiKeys } from "./api_keys.ts";
import { Authenticator, type FailedLogin } from "./authenticator.ts";
import type { Methods } from "./methods.ts";
import { openBearer } from "./bearer.ts";
import { tokenPath, type Challenge } from "./challenge.ts";
import { hasAccessControl, hasMethods, hasPasswords } from "./check_options.ts";
import { compilePolicy, type CompiledPolicy } from "./compile_policy.ts";
import { FileUsers } from "./file_users.ts";
import { Htpasswd } from "./htpasswd.ts";
import type { Ldap } from "./ldap.ts";
import type { AccessControl, AuthValues, LdapOptions } from "./options.ts";
import type { Throttle } from "./throttle.ts";
import { openTokenKeys, type TokenKeyPlace } from "./token_key.ts";
import { TokenService } from "./token_service.ts";
import { unknownUsers } from "./unknown_users.ts";

/** The part of the configuration that is looked at. */
export interface AuthConfig {
  readonly auth: AuthValues;
  readonly accessControl: AccessControl;
  readonly realm: string;
  readonly externalUrl: string | null;
  readonly tls: { readonly cacert: string | null };
}

export interface AuthSetup {
  readonly clock: Clock;
  /** The key that signs the registry's own tokens; null for a look that makes nothing. */
  readonly tokenKeyAt: TokenKeyPlace | null;
  readonly report: (level: "info" | "warn", message: string, fields?: object) => void;
}

export interface AuthServices {
  readonly metadata: Metadata;
  /** Counts failed logins; it outlives a changed configuration. */
  readonly throttle: Throttle;
}

/** Everything that knows callers. */
export interface Auth {
  readonly authenticator: Authenticator;
  /** Null when there is no method of login. */
  readonly challenge: Challenge | null;
  /** For browsers: asks for a password where there are any, also where clients get tokens. */
  readonly pageChallenge: Challenge | null;
  /** Null when no access control is configured: then every user may do everything. */
  readonly policy: CompiledPolicy | null;
  readonly tokens: TokenService | null;
  readonly apiKeys: ApiKeys | null;
  readonly close: () => void;
}

/** Hashes at a time in one process, and logins that may wait for one. */
const hashing = { runningMax: 2, waitingMax: 64 };

/** Opens all of it. @throws with one line for the operator. */
export async function openAuth(
  config: AuthConfig,
  setup: AuthSetup,
  services: AuthServices,
): Promise<Auth> {
  const { clock, report } = setup;
  const { policy, methods } = await openMethods(config, setup);
  const apiKeys = config.auth.apikey ? new ApiKeys(services.metadata, clock) : null;
  const fileUsers = methods.htpasswd === null ? null : new FileUsers(services.metadata);
  const { throttle } = services;
  const challenge = challengeOf(config, methods.tokens);
  const takesPasswords = hasPasswords(config.auth) || apiKeys !== null;
  const authenticator = new Authenticator({
    methods: { ...methods, apiKeys, fileUsers },
    policy,
    throttle,
    clock,
    failDelayMs: config.auth.failDelay * 1000,
    onFailure: (failure: FailedLogin) => report("info", "a login failed", failure),
  });
  return {
    authenticator,
    challenge,
    pageChallenge: takesPasswords ? basicChallenge(config) : challenge,
    policy,
    tokens: methods.tokens,
    apiKeys,
    close: () => methods.ldap?.close(),
  };
}

/**
 * Reads every file and makes the key of tokens, and lets go of them: for a start that must know. Returns warnings.
 * @throws with one line for the operator.
 */
export async function checkAuthFiles(config: AuthConfig, setup: AuthSetup): Promise<string[]> {
  const names = await knownUsers(config, setup);
  return names === null ? [] : unknownUsers(config.accessControl, names);
}

/**
 * The names of all users, from the file; null where there are others, too.
 * @throws as `checkAuthFiles`.
 */
export async function knownUsers(
  config: AuthConfig,
  setup: AuthSetup,
): Promise<ReadonlySet<string> | null> {
  const { methods } = await openMethods(config, setup);
  methods.ldap?.close();
  const { htpasswd, ldap, access, workload } = methods;
  const others = [ldap, access, workload, config.tls.cacert];
  const isOnlySource = htpasswd !== null && others.every((other) => other === null);
  return isOnlySource ? new Set(htpasswd.names()) : null;
}

async function openMethods(
  config: AuthConfig,
  setup: AuthSetup,
): Promise<{ policy: CompiledPolicy | null; methods: Methods }> {
  const { auth, accessControl } = config;
  const { clock } = setup;
  const policy = hasAccessControl(accessControl) ? policyOf(accessControl) : null;
  const follow = (path: string) => reporter(setup, path);
  const bearer = openBearer({
    options: auth.bearer,
    clock,
    onChange: follow("http.auth.bearer"),
  });
  return {
    policy,
    methods: {
      htpasswd:
        auth.htpasswd.path === null
          ? null
          : new Htpasswd({
              path: auth.htpasswd.path,
              clock,
              gate: new Gate(hashing),
              onChange: follow("http.auth.htpasswd"),
            }),
      ldap: await openLdap(auth.ldap, clock, follow("http.auth.ldap")),
      apiKeys: null,
      fileUsers: null,
      tokens: await openTokens(config, setup, policy),
      access: bearer.access,
      workload: bearer.workload,
      certificates: auth.mtls,
      sessions: null,
    },
  };
}

function policyOf(accessControl: AccessControl): CompiledPolicy {
  const compiled = compilePolicy(accessControl);
  if ("problems" in compiled) throw new Error(compiled.problems.join("; "));
  return compiled.policy;
}

function reporter({ report }: AuthSetup, key: string): (problem: string | null) => void {
  return (problem) => {
    if (problem === null) report("info", `${key}: a changed file is in force`);
    else report("warn", `${key}: a changed file is not taken, the old content stays`, { problem });
  };
}

/** Null without a directory; then its library is not even loaded. */
async function openLdap(
  options: LdapOptions,
  clock: Clock,
  onChange: (problem: string | null) => void,
): Promise<Ldap | null> {
  if (options.address === null) return null;
  const { Ldap: Directory } = await import("./ldap.ts");
  return new Directory({ options, clock, onChange });
}

async function openTokens(
  config: AuthConfig,
  { clock, tokenKeyAt }: AuthSetup,
  policy: CompiledPolicy | null,
): Promise<TokenService | null> {
  const { auth } = config;
  const url = ownUrl(config);
  const canLogIn = hasPasswords(auth) || auth.bearer.oidc.length > 0;
  if (!auth.token.enable || url === null || !canLogIn || tokenKeyAt === null) return null;
  return new TokenService({
    keys: await openTokenKeys(tokenKeyAt),
    issuer: url,
    service: auth.bearer.service ?? new URL(url).host,
    lifetimeMs: auth.token.lifetime,
    namedGroups: policy?.namedGroups ?? new Set(),
    clock,
  });
}

/** Where clients reach the registry: as configured, or as the realm of zot's token exchange tells. */
function ownUrl({ externalUrl, auth: { bearer } }: AuthConfig): string | null {
  if (externalUrl !== null) return externalUrl;
  const { realm } = bearer;
  const isOwn = bearer.oidc.length > 0 && realm !== null && URL.canParse(realm);
  return isOwn && realm.endsWith(tokenPath) ? realm.slice(0, -tokenPath.length) : null;
}

/** The one challenge of this registry. */
function challengeOf(config: AuthConfig, tokens: TokenService | null): Challenge | null {
  const { auth } = config;
  const { bearer } = auth;
  const hasKey = bearer.cert !== null || bearer.jwksUrl !== null;
  if (hasKey && bearer.realm !== null) {
    return { kind: "bearer", realm: bearer.realm, service: bearer.service ?? "" };
  }
  const url = ownUrl(config);
  if (tokens !== null && url !== null) {
    return { kind: "bearer", realm: `${url}${tokenPath}`, service: tokens.service };
  }
  return hasMethods(auth) ? basicChallenge(config) : null;
}

function basicChallenge({ realm }: AuthConfig): Challenge {
  return { kind: "basic", realm: realm === "" ? "zot" : realm };
}
