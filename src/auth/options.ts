// The options under `http.auth` and `http.accessControl`, in zot's dialect.
//
// A method is in force when its first key is set: `htpasswd.path`, `ldap.address`, `bearer.cert` and so on; all may be
// in force at once. What several keys must fulfil together is checked in `check_options.ts`.

import * as z from "zod";
import { optionTable, type OptionValues } from "../lib/option.ts";
import { hostOrNone, urlOrNone } from "../lib/address_types.ts";
import { count, duration, flag, pathOrNone, textOrNone } from "../lib/option_types.ts";

/** What a policy may allow. `detectManifestCollision` makes a delete by digest more careful. */
export const actions = ["read", "create", "update", "delete", "detectManifestCollision"] as const;
export type Action = (typeof actions)[number];

/** Longer than any client waits. */
const failDelaySecondsMax = 60;

const text = z.string({ error: "text" });
const textList = z.array(text, { error: "a list of texts" });
const actionError = `one of ${actions.join(", ")}`;
const actionList = z.array(z.enum(actions, { error: actionError }), {
  error: `a list with any of ${actions.join(", ")}`,
});
const section = { error: "a section with keys" };

const grant = z.strictObject(
  {
    users: textList.default([]),
    groups: textList.default([]),
    actions: actionList.default([]),
    conditions: z
      .array(z.strictObject({ expression: text, message: text.default("") }, section), {
        error: "a list of conditions",
      })
      .default([]),
  },
  section,
);

const repository = z.strictObject(
  {
    policies: z.array(grant, { error: "a list of policies" }).default([]),
    defaultPolicy: actionList.default([]),
    anonymousPolicy: actionList.default([]),
  },
  section,
);

const nobody = { users: [], groups: [], actions: [], conditions: [] };

const metricsOptions = optionTable({
  users: {
    type: textList.meta({ title: "list of users" }),
    default: [],
    served: true,
    applies: "live",
    says: "Users who may read the metrics page; users whom the `adminPolicy` lets read may do so as well.",
  },
  anonymousPolicy: {
    type: actionList.meta({ title: "list of words" }),
    default: [],
    served: true,
    applies: "live",
    says: "With `read`: anyone may read the metrics page, logged in or not.",
  },
});

const repositoryAccessOptions = optionTable({
  repositories: {
    type: z.record(text, repository, section).meta({ title: "policies by glob" }),
    default: {},
    served: true,
    applies: "live",
    says:
      "For each glob of repository names `policies` (`users`, `groups`, `actions`, `conditions`), `defaultPolicy` and " +
      "`anonymousPolicy`. Only the longest glob that fits a repository applies. The user `ann` is every user who logs in by " +
      "that name; `htpasswd:ann`, `ldap:ann`, `certificate:ann` and `workload:ann` are that method's ann alone.",
  },
  adminPolicy: {
    type: grant.meta({ title: "policy" }),
    default: nobody,
    defaultSays: "nobody",
    served: true,
    applies: "live",
    says: "Users and groups that may do `actions` in every repository.",
  },
  groups: {
    type: z
      .record(text, z.strictObject({ users: textList.default([]) }, section), section)
      .meta({ title: "users by group" }),
    default: {},
    served: true,
    applies: "live",
    says: "Groups of users, for policies to name.",
  },
});

export const accessControlOptions = {
  ...repositoryAccessOptions,
  metrics: metricsOptions,
} as const;

const ldapOptions = optionTable({
  address: {
    type: hostOrNone,
    default: "",
    defaultSays: "none, LDAP is off",
    served: true,
    applies: "live",
    says: "Host name of the directory.",
  },
  port: {
    type: count(0, 65_535),
    default: 0,
    defaultSays: "636, and 389 with `insecure`",
    served: true,
    applies: "live",
    says: "Port of the directory.",
  },
  insecure: {
    type: flag,
    default: false,
    served: true,
    applies: "live",
    says: "Speak LDAP instead of LDAPS. Passwords travel in the clear unless `startTLS` is set.",
  },
  startTLS: {
    type: flag,
    default: false,
    served: true,
    applies: "live",
    says: "With `insecure`: turn the connection into TLS before anything is sent.",
  },
  skipVerify: {
    type: flag,
    default: false,
    served: true,
    applies: "live",
    says: "Accept any certificate of the directory.",
  },
  caCert: {
    type: pathOrNone,
    default: "",
    defaultSays: "the system's",
    served: true,
    applies: "live",
    says: "PEM file of the authorities that may have signed the directory's certificate.",
  },
  credentialsFile: {
    type: pathOrNone,
    default: "",
    defaultSays: "anonymous search",
    served: true,
    applies: "live",
    says: "JSON file with `bindDN` and `bindPassword` of the account that searches.",
  },
  bindDN: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "The searching account, in place of `credentialsFile`.",
  },
  bindPassword: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    secret: true,
    says: "Its password, in place of `credentialsFile`.",
  },
  baseDN: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "Where users are searched.",
  },
  subtreeSearch: {
    type: flag,
    default: false,
    served: true,
    applies: "live",
    says: "Search everything below `baseDN`; otherwise only what stands directly in it.",
  },
  userAttribute: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "Attribute that holds the name that users log in with, such as `uid`.",
  },
  userFilter: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "Filter that a user's entry must fit as well.",
  },
  userGroupAttribute: {
    type: textOrNone,
    default: "",
    defaultSays: "no groups",
    served: true,
    applies: "live",
    says: "Attribute of a user's entry that lists groups, such as `memberOf`.",
  },
  timeout: {
    type: duration(1),
    default: "4s",
    served: true,
    applies: "live",
    says: "How long a login waits for the directory before it is answered 503.",
  },
});

const expression = z.strictObject({ name: text, expression: text }, section);
const validation = z.strictObject({ expression: text, message: text.default("") }, section);
const httpsUrl = z.string({ error: "a URL" }).refine((value) => URL.canParse(value), {
  error: `an absolute URL, such as "https://issuer.example.com"`,
});

const oidcIssuer = z.strictObject(
  {
    issuer: httpsUrl,
    audiences: textList.min(1, { error: "at least one audience" }),
    claimMapping: z
      .strictObject(
        {
          variables: z.array(expression).default([]),
          validations: z.array(validation).default([]),
          username: text.default(""),
          groups: text.default(""),
        },
        section,
      )
      .prefault({}),
    certificateAuthority: text.default(""),
    certificateAuthorityFile: text.default(""),
    skipIssuerVerification: z.boolean({ error: "true or false" }).default(false),
  },
  section,
);

const algorithms = [
  "EdDSA",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
] as const;

const bearerOptions = optionTable({
  realm: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "URL of an outside token service, to which challenges send clients.",
  },
  service: {
    type: textOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "Name of this registry at that service; tokens must have it as their audience.",
  },
  cert: {
    type: pathOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "File with the service's public key: PEM (key or certificate) or a JSON Web Key Set.",
  },
  jwksUrl: {
    type: urlOrNone,
    default: "",
    defaultSays: "none",
    served: true,
    applies: "live",
    says: "URL of the service's JSON Web Key Set, in place of `cert`.",
  },
  issuer: {
    type: textOrNone,
    default: "",
    defaultSays: "any",
    served: true,
    applies: "live",
    says: "What tokens must have as their issuer.",
  },
  algorithms: {
    type: z
      .array(z.enum(algorithms, { error: `one of ${algorithms.join(", ")}` }), {
        error: `a list with any of ${algorithms.join(", ")}`,
      })
      .meta({ title: "list of words" }),
    default: [],
    defaultSays: "what the key is for",
    served: true,
    applies: "live",
    says: `Algorithms that tokens may be signed with: ${algorithms.join(", ")}.`,
  },
  oidc: {
    type: z.array(oidcIssuer, { error: "a list of issuers" }).meta({ title: "list of issuers" }),
    default: [],
    served: true,
    applies: "live",
    says:
      "OpenID issuers whose ID tokens log workloads in: `issuer`, `audiences`, `claimMapping` (`username`, `groups`, " +
      "`variables`, `validations`), `certificateAuthority` or `certificateAuthorityFile`, `skipIssuerVerification`.",
  },
});

const attributes = [
  "CommonName",
  "CN",
  "Subject",
  "DN",
  "Email",
  "rfc822name",
  "URI",
  "URL",
  "DNSName",
  "DNS",
] as const;
const attributeError = `one of ${attributes.join(", ")}`;

const mtlsOptions = optionTable({
  identityAttributes: {
    type: z
      .array(
        z
          .string({ error: attributeError })
          .refine(
            (value) => attributes.some((each) => each.toLowerCase() === value.toLowerCase()),
            {
              error: attributeError,
            },
          ),
        { error: `a list with any of ${attributes.join(", ")}` },
      )
      .min(1, { error: `a list with any of ${attributes.join(", ")}` })
      .meta({ title: "list of words" }),
    default: ["CommonName"],
    served: true,
    applies: "live",
    says: `Where a client certificate holds the user's name; the first that is there counts: ${attributes.join(", ")}.`,
  },
  uriSanPattern: {
    type: textOrNone,
    default: "",
    defaultSays: "the whole URI",
    served: true,
    applies: "live",
    says: "Regular expression that a URI must fit; its first group is the name.",
  },
  uriSanIndex: {
    type: count(0),
    default: 0,
    served: true,
    applies: "live",
    says: "Which of several URIs counts, from 0.",
  },
  dnsSanIndex: {
    type: count(0),
    default: 0,
    served: true,
    applies: "live",
    says: "Which of several DNS names counts, from 0.",
  },
  emailSanIndex: {
    type: count(0),
    default: 0,
    served: true,
    applies: "live",
    says: "Which of several mail addresses counts, from 0.",
  },
});

export const authOptions = {
  ...optionTable({
    failDelay: {
      type: count(0, failDelaySecondsMax),
      default: 0,
      served: true,
      applies: "live",
      says: "Seconds that the answer to a failed login is held back.",
    },
    apikey: {
      type: flag,
      default: false,
      served: true,
      applies: "live",
      says: "Let users make API keys, which serve as passwords, at `/zot/auth/apikey`.",
    },
  }),
  htpasswd: optionTable({
    path: {
      type: pathOrNone,
      default: "",
      defaultSays: "none, htpasswd is off",
      served: true,
      applies: "live",
      says: "File of users and password hashes (bcrypt, SHA-256 and SHA-512 crypt), read again when it changes.",
    },
  }),
  ldap: ldapOptions,
  bearer: bearerOptions,
  mtls: mtlsOptions,
  token: optionTable({
    enable: {
      type: flag,
      default: true,
      served: true,
      applies: "live",
      says: "With `http.externalUrl`: send clients that must log in to the registry's own token service.",
    },
    lifetime: {
      type: duration(60_000),
      default: "5m",
      served: true,
      applies: "live",
      says: "How long its tokens are good; between `1m` and `5m`.",
    },
  }),
} as const;

export type AuthValues = OptionValues<typeof authOptions>;
export type AccessControl = OptionValues<typeof accessControlOptions>;
export type PolicyGrant = AccessControl["adminPolicy"];
export type LdapOptions = AuthValues["ldap"];
export type BearerOptions = AuthValues["bearer"];
export type OidcIssuer = BearerOptions["oidc"][number];
export type MtlsOptions = AuthValues["mtls"];
