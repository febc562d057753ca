/**
 * Checks the options of authentication and access control against each other, beyond their types.
 *
 * Each problem is one line that begins with the option's path. Files are not opened here: `authenticator.ts` reports
 * what is wrong in them.
 */
import { formatDuration } from "../lib/duration.ts";
import { isHttpUrl } from "../lib/http_url.ts";
import { compilePolicy } from "./compile_policy.ts";
import { checkMapping } from "./claim_mapping.ts";
import { type LoginMethod } from "./identity.ts";
import { readNamedUser } from "./named_user.ts";
import { isSafeUrl } from "./safe_url.ts";
import type { AccessControl, AuthValues } from "./options.ts";
import { placesOf } from "./unknown_users.ts";

/** The part of the `http` section that is looked at. */
export interface HttpSection {
  readonly address: string;
  readonly tls: { readonly cert: string | null; readonly cacert: string | null };
  readonly externalUrl: string | null;
  readonly auth: AuthValues;
  readonly accessControl: AccessControl;
}

export interface Findings {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const tokenLifetimeMsMax = 300_000;

/** Checks values that the schema has accepted. `written` has the paths that the file itself set. */
export function checkAuthOptions(http: HttpSection, written: ReadonlySet<string>): Findings {
  const has = (prefix: string): boolean =>
    [...written].some((path) => path === prefix || path.startsWith(`${prefix}.`));
  const problems = [
    ...ldapProblems(http.auth, has),
    ...bearerProblems(http.auth),
    ...mtlsProblems(http.auth, has),
    ...tokenProblems(http.auth),
    ...accessControlProblems(http, has),
  ];
  return { problems, warnings: problems.length > 0 ? [] : warningsOf(http) };
}

/** Whether callers are told apart at all. */
export function isAuthConfigured({
  auth,
  accessControl,
  tls,
}: Pick<HttpSection, "auth" | "accessControl" | "tls">): boolean {
  return hasMethods(auth) || hasAccessControl(accessControl) || tls.cacert !== null;
}

/** Whether callers can log in with a password. */
export function hasPasswords(auth: AuthValues): boolean {
  return auth.htpasswd.path !== null || auth.ldap.address !== null;
}

/** Whether any method of authentication but client certificates is configured. */
export function hasMethods(auth: AuthValues): boolean {
  const { bearer } = auth;
  return (
    hasPasswords(auth) ||
    bearer.cert !== null ||
    bearer.jwksUrl !== null ||
    bearer.oidc.length > 0 ||
    auth.apikey
  );
}

/** Whether access control is configured at all. */
export function hasAccessControl(control: AccessControl): boolean {
  const { repositories, adminPolicy, metrics } = control;
  const lists = [adminPolicy.actions, metrics.users, metrics.anonymousPolicy];
  return Object.keys(repositories).length > 0 || lists.some((list) => list.length > 0);
}

type Has = (prefix: string) => boolean;

const attributeName = /^[A-Za-z][\w;.-]*$/;

function ldapProblems({ ldap }: AuthValues, has: Has): string[] {
  if (!has("http.auth.ldap")) return [];
  const problems: string[] = [];
  for (const key of ["address", "baseDN", "userAttribute"] as const) {
    if (ldap[key] === null) problems.push(`http.auth.ldap.${key}: expected a value, got none`);
  }
  if (ldap.userAttribute !== null && !attributeName.test(ldap.userAttribute)) {
    problems.push(
      `http.auth.ldap.userAttribute: expected the name of an attribute, such as uid, got ${JSON.stringify(ldap.userAttribute)}`,
    );
  }
  if (ldap.userGroupAttribute !== null && !attributeName.test(ldap.userGroupAttribute)) {
    problems.push(
      `http.auth.ldap.userGroupAttribute: expected the name of an attribute, such as memberOf, got ${JSON.stringify(ldap.userGroupAttribute)}`,
    );
  }
  if (ldap.baseDN !== null && !/^[A-Za-z\d.-]+ *=/.test(ldap.baseDN)) {
    problems.push(
      `http.auth.ldap.baseDN: expected a distinguished name, such as ou=users,dc=example,dc=com, got ${JSON.stringify(ldap.baseDN)}`,
    );
  }
  if (ldap.credentialsFile !== null && (ldap.bindDN ?? ldap.bindPassword) !== null) {
    problems.push(
      "http.auth.ldap.credentialsFile: expected it alone, got bindDN or bindPassword, too; keep one",
    );
  }
  if (ldap.startTLS && !ldap.insecure) {
    problems.push(
      "http.auth.ldap.startTLS: expected insecure to be true beside it, since LDAPS is TLS from the start; " +
        "set insecure to true or startTLS to false",
    );
  }
  return problems;
}

function bearerProblems({ bearer }: AuthValues): string[] {
  const problems: string[] = [];
  const keyed = bearer.cert !== null || bearer.jwksUrl !== null;
  if (bearer.cert !== null && bearer.jwksUrl !== null) {
    problems.push("http.auth.bearer.cert: expected it alone, got jwksUrl, too; keep one");
  }
  for (const key of keyed ? (["realm", "service"] as const) : []) {
    if (bearer[key] === null) {
      problems.push(`http.auth.bearer.${key}: expected a value beside the key, got none`);
    }
  }
  if (bearer.realm !== null && !keyed && bearer.oidc.length === 0) {
    problems.push("http.auth.bearer: expected cert, jwksUrl or oidc beside the realm, got none");
  }
  if (keyed && bearer.realm !== null && !isHttpUrl(bearer.realm)) {
    problems.push(
      `http.auth.bearer.realm: expected the http or https URL of the token service, got ${JSON.stringify(bearer.realm)}`,
    );
    return problems;
  }
  for (const key of ["realm", "service"] as const) {
    if (bearer[key] !== null && !/^[\x20-\x7e]*$/.test(bearer[key])) {
      problems.push(
        `http.auth.bearer.${key}: expected printable ASCII, which headers can carry, got ${JSON.stringify(bearer[key])}`,
      );
    }
  }
  if (bearer.jwksUrl !== null && !isSafeUrl(bearer.jwksUrl)) {
    problems.push(`http.auth.bearer.jwksUrl: expected an https URL, got ${bearer.jwksUrl}`);
  }
  for (const [index, issuer] of bearer.oidc.entries()) {
    const path = `http.auth.bearer.oidc[${index}]`;
    if (!isSafeUrl(issuer.issuer)) {
      problems.push(`${path}.issuer: expected an https URL, got ${issuer.issuer}`);
    }
    if (issuer.certificateAuthority !== "" && issuer.certificateAuthorityFile !== "") {
      problems.push(
        `${path}.certificateAuthority: expected it alone, got certificateAuthorityFile, too; keep one`,
      );
    }
    problems.push(...checkMapping(issuer.claimMapping, `${path}.claimMapping`));
  }
  return problems;
}

function mtlsProblems({ mtls }: AuthValues, has: Has): string[] {
  if (!has("http.auth.mtls")) return [];
  const problems: string[] = [];
  if (!has("http.tls.cacert")) {
    problems.push(
      "http.auth.mtls: expected http.tls with cert, key and cacert beside it, got no cacert",
    );
  }
  try {
    RegExp(mtls.uriSanPattern ?? "");
  } catch {
    problems.push(
      `http.auth.mtls.uriSanPattern: expected a regular expression, got ${JSON.stringify(mtls.uriSanPattern)}`,
    );
  }
  return problems;
}

function tokenProblems({ token }: AuthValues): string[] {
  if (token.lifetime <= tokenLifetimeMsMax) return [];
  return [
    `http.auth.token.lifetime: expected a duration between 1m and 5m, got ${formatDuration(token.lifetime)}; ` +
      "a token outlives the login that it stands for",
  ];
}

function accessControlProblems(http: HttpSection, has: Has): string[] {
  const { auth, accessControl } = http;
  if (!has("http.accessControl")) return [];
  const compiled = compilePolicy(accessControl);
  if ("problems" in compiled) return [...compiled.problems];
  if (!hasAccessControl(accessControl)) {
    return [
      "http.accessControl: expected repositories, an adminPolicy or metrics, got none; nobody could do anything",
    ];
  }
  const foreign = methodProblems(http, has);
  if (foreign.length > 0) return foreign;
  const { policy } = compiled;
  if (policy.userAccess && !hasMethods(auth) && !has("http.tls.cacert")) {
    return [
      "http.accessControl: expected a method in http.auth, since users and groups are given access, got none; " +
        "add one or keep only anonymousPolicy",
    ];
  }
  return [];
}

/** Users of a method that is not configured can never log in. */
function methodProblems({ accessControl }: HttpSection, has: Has): string[] {
  return placesOf(accessControl).flatMap(({ path, users }) =>
    users.flatMap((user, index) => {
      const { method } = readNamedUser(user);
      if (method === null || has(methodKeys[method])) return [];
      return [
        `${path}.users[${index}]: expected a method that is configured, got ${JSON.stringify(user)} without ` +
          `${methodKeys[method]}; a bare name means a user of any method`,
      ];
    }),
  );
}

/** What a method needs so that users can log in by it. */
const methodKeys: Readonly<Record<LoginMethod, string>> = {
  htpasswd: "http.auth.htpasswd",
  ldap: "http.auth.ldap",
  certificate: "http.tls.cacert",
  workload: "http.auth.bearer.oidc",
};

function warningsOf(http: HttpSection): string[] {
  const { address, auth, externalUrl } = http;
  const warnings: string[] = [];
  if (!isAuthConfigured(http) && !isLoopback(address)) {
    warnings.push(
      `http.auth: there is none, so everybody who reaches ${address} may read, push and delete everything; ` +
        "set http.auth or http.accessControl, or listen on 127.0.0.1",
    );
  }
  const isPlain = http.tls.cert === null && externalUrl === null;
  if (hasMethods(auth) && isPlain && !isLoopback(address)) {
    warnings.push(
      `http.auth: passwords and tokens travel to ${address} in the clear; set http.tls, or http.externalUrl to the ` +
        "https URL of the proxy in front",
    );
  }
  const { ldap } = auth;
  if (ldap.address !== null && ldap.insecure && !ldap.startTLS && !isLoopback(ldap.address)) {
    warnings.push(
      "http.auth.ldap.insecure: passwords travel to the directory in the clear; set startTLS to true",
    );
  }
  if (ldap.address !== null && ldap.skipVerify) {
    warnings.push(
      "http.auth.ldap.skipVerify: any server that answers is believed to be the directory",
    );
  }
  if (externalUrl?.startsWith("http://") === true && !isLoopback(new URL(externalUrl).hostname)) {
    if (hasMethods(auth)) {
      warnings.push("http.externalUrl: clients send passwords and tokens to it in the clear");
    }
  }
  if (auth.apikey && !hasMethods({ ...auth, apikey: false })) {
    warnings.push("http.auth.apikey: nobody can make a key, since there is no other way to log in");
  }
  for (const [index, issuer] of auth.bearer.oidc.entries()) {
    if (issuer.skipIssuerVerification) {
      warnings.push(
        `http.auth.bearer.oidc[${index}].skipIssuerVerification: tokens of any issuer are accepted that its keys verify`,
      );
    }
  }
  return warnings;
}

/** Whether a host name means this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || host.startsWith("127.");
}
