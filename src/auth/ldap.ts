/**
 * Users in an LDAP directory: a service account searches for the entry, and a bind as that entry proves the password.
 *
 * Names are passed as values and never as filter text, so they cannot change the search; exactly one entry must match.
 * An empty or blank password is rejected before the directory is asked (directories accept an empty one as an anonymous
 * bind). Referrals are not followed. The service account's credentials are read again when their file changes.
 */
import { createHash, randomInt, randomUUID } from "node:crypto";
import {
  AndFilter,
  EqualityFilter,
  FilterParser,
  InvalidCredentialsError,
  type Entry,
  type Filter,
} from "ldapts";
import type { Clock } from "../lib/clock.ts";
import { isJsonObject, parseStrictJson } from "../lib/strict_json.ts";
import { WatchedFile } from "../lib/watched_file.ts";
import { isUserName } from "./identity.ts";
import {
  LdapConnections,
  LdapUnavailable,
  resultCodeOf,
  type LdapConnection,
} from "./ldap_connection.ts";
import type { LdapOptions } from "./options.ts";

export { LdapUnavailable } from "./ldap_connection.ts";

export interface LdapUser {
  /** As the directory spells it. */
  readonly name: string;
  readonly groups: readonly string[];
  /** Tells the entry from another that has the name later. */
  readonly id: string;
  /** Changes whenever the entry, its password or its groups do. */
  readonly stamp: string;
}

interface Account {
  readonly dn: string;
  readonly password: string;
}

/** Attributes that change with the entry: OpenLDAP's, the standard's, Active Directory's. */
const stampAttributes = [
  "entryCSN",
  "modifyTimestamp",
  "pwdChangedTime",
  "uSNChanged",
  "whenChanged",
];
/** What an entry keeps for its life and shares with no other, even of the same name: the first that it has. */
const idAttributes = ["entryUUID", "objectGUID", "nsUniqueId", "ipaUniqueID"];
/** Binds whose time is remembered. */
const bindsMax = 16;
/** Timers are no finer than this. */
const waitMsMin = 2;
/** Groups of one user that are looked at. */
const groupsMax = 1_000;
/**
 * What a directory says of a password that is not right, or of an account that is not to be used (RFC 4511 §4.1.9):
 * referral, constraintViolation (locked), noSuchObject, invalidDNSyntax, inappropriateAuthentication,
 * invalidCredentials, insufficientAccessRights, unwillingToPerform.
 */
const refusalCodes: readonly number[] = [10, 19, 32, 34, 48, 49, 50, 53];

export interface LdapSetup {
  readonly options: LdapOptions;
  readonly clock: Clock;
  /** A file changed and was read (null), or could not be. */
  readonly onChange: (problem: string | null) => void;
}

export class Ldap {
  readonly #options: LdapOptions;
  readonly #connections: LdapConnections;
  readonly #credentials: WatchedFile<Account> | null;
  readonly #userFilter: Filter | null;
  readonly #attributes: string[];
  readonly #clock: Clock;
  /** How long the directory took to look at passwords lately. */
  readonly #bindsMs: number[] = [];

  /** @throws with one line for the operator when a file or the filter is wrong. */
  constructor({ options, clock, onChange }: LdapSetup) {
    this.#options = options;
    this.#clock = clock;
    const { credentialsFile, caCert, userFilter } = options;
    const watch = <T>(path: string, parse: (bytes: Uint8Array) => T): WatchedFile<T> =>
      new WatchedFile({ path, clock, onChange, parse });
    this.#credentials =
      credentialsFile === null
        ? null
        : watch(credentialsFile, (bytes) => parseCredentials(bytes, credentialsFile));
    const authorities =
      caCert === null ? null : watch(caCert, (bytes) => parseAuthorities(bytes, caCert));
    this.#userFilter = userFilter === null ? null : parseFilter(userFilter);
    this.#attributes = [
      options.userAttribute ?? "",
      ...(options.userGroupAttribute === null ? [] : [options.userGroupAttribute]),
      ...idAttributes,
      ...stampAttributes,
    ];
    this.#connections = new LdapConnections({
      host: options.address ?? "",
      port: options.port === 0 ? (options.insecure ? 389 : 636) : options.port,
      security: options.insecure ? (options.startTLS ? "start-tls" : "none") : "ldaps",
      skipVerify: options.skipVerify,
      authorities: () => authorities?.content ?? null,
      timeoutMs: options.timeout,
      clock,
    });
  }

  /** The user with this name and password; null when there is none. @throws LdapUnavailable. */
  async verify(name: string, password: string): Promise<LdapUser | null> {
    if (!isUserName(name) || password.trim() === "" || password.includes("\0")) return null;
    return await this.#connections.use(async (connection) => {
      const found = await this.#search(connection, name);
      if (found === null) {
        await this.#refuseUnknown(connection);
        return null;
      }
      const startedMs = this.#clock.monotonicMs();
      const isRight = await accepts(connection, found.entry.dn, password);
      this.#bindsMs.push(this.#clock.monotonicMs() - startedMs);
      if (this.#bindsMs.length > bindsMax) this.#bindsMs.shift();
      return isRight ? found.user : null;
    });
  }

  /**
   * Does for an unknown name what is done for a wrong password, so that the time tells neither: a bind, as an entry
   * that is not there. Where the directory takes its time to compare passwords, which it has none for here, the rest is
   * waited for.
   */
  async #refuseUnknown(connection: LdapConnection): Promise<void> {
    const { baseDN, userAttribute } = this.#options;
    const startedMs = this.#clock.monotonicMs();
    const nobody = `${userAttribute ?? "cn"}=${randomUUID()},${baseDN ?? ""}`;
    await accepts(connection, nobody, randomUUID());
    const tookMs = this.#clock.monotonicMs() - startedMs;
    const missingMs = (this.#bindsMs[randomInt(bindsMax) % this.#bindsMs.length] ?? 0) - tookMs;
    if (missingMs >= waitMsMin) await this.#clock.sleep(missingMs);
  }

  /** The user with this name; null when there is none, or more than one. @throws LdapUnavailable. */
  async find(name: string): Promise<LdapUser | null> {
    if (!isUserName(name)) return null;
    return await this.#connections.use(async (connection) => {
      const found = await this.#search(connection, name);
      return found?.user ?? null;
    });
  }

  close(): void {
    this.#connections.close();
  }

  async #search(
    connection: LdapConnection,
    name: string,
  ): Promise<{ entry: Entry; user: LdapUser } | null> {
    await this.#bindService(connection);
    const { baseDN, subtreeSearch, userAttribute, timeout } = this.#options;
    const byName = new EqualityFilter({ attribute: userAttribute ?? "", value: name });
    const filter =
      this.#userFilter === null ? byName : new AndFilter({ filters: [byName, this.#userFilter] });
    const { searchEntries } = await connection.client.search(baseDN ?? "", {
      scope: subtreeSearch ? "sub" : "one",
      filter,
      attributes: this.#attributes,
      explicitBufferAttributes: ["objectGUID"],
      sizeLimit: 2,
      timeLimit: Math.max(1, Math.ceil(timeout / 1000)),
    });
    const [entry, ...others] = searchEntries;
    if (entry === undefined || others.length > 0 || entry.dn === "") return null;
    const user = this.#userOf(entry, name);
    return user === null ? null : { entry, user };
  }

  async #bindService(connection: LdapConnection): Promise<void> {
    const account = this.#account();
    const as = JSON.stringify([account.dn, account.password]);
    if (connection.boundAs === as) return;
    connection.boundAs = null;
    try {
      await connection.client.bind(account.dn, account.password);
    } catch (error) {
      if (!(error instanceof InvalidCredentialsError)) throw error;
      throw new LdapUnavailable("The directory refuses the service account", { cause: error });
    }
    connection.boundAs = as;
  }

  #account(): Account {
    if (this.#credentials !== null) return this.#credentials.content;
    const { bindDN, bindPassword } = this.#options;
    return { dn: bindDN ?? "", password: bindPassword ?? "" };
  }

  #userOf(entry: Entry, asked: string): LdapUser | null {
    const { userAttribute, userGroupAttribute } = this.#options;
    const names = valuesOf(entry, userAttribute ?? "");
    const name = names.includes(asked) ? asked : names[0];
    if (name === undefined || !isUserName(name)) return null;
    const groups = userGroupAttribute === null ? [] : valuesOf(entry, userGroupAttribute);
    const hash = createHash("sha256").update(JSON.stringify([entry.dn, groups]));
    for (const attribute of stampAttributes)
      hash.update(JSON.stringify(valuesOf(entry, attribute)));
    const stamp = hash.digest("base64");
    return { name, groups: groups.slice(0, groupsMax), id: idOf(entry), stamp };
  }
}

async function accepts(connection: LdapConnection, dn: string, password: string): Promise<boolean> {
  connection.boundAs = null;
  try {
    await connection.client.bind(dn, password);
    return true;
  } catch (error) {
    const code = resultCodeOf(error);
    if (code !== null && refusalCodes.includes(code)) return false;
    throw error;
  }
}

/** The entry's unique id, or its name in the tree where it has none: an entry that moves is another user then. */
function idOf(entry: Entry): string {
  for (const attribute of idAttributes) {
    const [value] = valuesOf(entry, attribute, "hex");
    if (value !== undefined && value !== "") return `${attribute} ${value}`;
  }
  return `dn ${entry.dn.toLowerCase()}`;
}

/** Values of an attribute, whose name may come back in another case. */
function valuesOf(entry: Entry, attribute: string, encoding: "utf8" | "hex" = "utf8"): string[] {
  const key = Object.keys(entry).find((each) => each.toLowerCase() === attribute.toLowerCase());
  const value = key === undefined ? undefined : entry[key];
  const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return values.map((each) => (typeof each === "string" ? each : each.toString(encoding)));
}

/** Reads a filter, with or without its outer parentheses. */
function parseFilter(text: string): Filter {
  try {
    return FilterParser.parseString(text.startsWith("(") ? text : `(${text})`);
  } catch (cause) {
    throw new Error(
      `http.auth.ldap.userFilter: expected a filter such as (!(locked=TRUE)), got ${JSON.stringify(text)}`,
      { cause },
    );
  }
}

function parseCredentials(bytes: Uint8Array, path: string): Account {
  const parsed = parseStrictJson(bytes, { depthMax: 4 });
  const value = "value" in parsed && isJsonObject(parsed.value) ? parsed.value : {};
  // Keys in any case, like those of a configuration.
  const keys = new Map(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each]));
  const [bindDN, bindPassword] = [keys.get("binddn"), keys.get("bindpassword")];
  if (typeof bindDN !== "string" || typeof bindPassword !== "string") {
    throw new Error(`${path}: expected a JSON object with the texts bindDN and bindPassword`);
  }
  if (bindDN !== "" && bindPassword === "") {
    throw new Error(`${path}: expected a bindPassword beside the bindDN, got an empty one`);
  }
  return { dn: bindDN, password: bindPassword };
}

function parseAuthorities(bytes: Uint8Array, path: string): string {
  const text = new TextDecoder().decode(bytes);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new Error(`${path}: expected certificates in PEM`);
}
