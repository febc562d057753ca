// Options of authentication and access control that do not go together: each stops the start with one line.

import { describe, expect, test } from "bun:test";
import { checkConfig } from "../config/load.ts";

const ldap = { address: "ldap.example.com", baseDN: "dc=example", userAttribute: "uid" };
const issuer = { issuer: "https://issuer.example.com", audiences: ["zot"] };
const bearer = { realm: "https://auth.example.com/token", service: "zot", cert: "key.pem" };
const policy = { repositories: { "**": { defaultPolicy: ["read"] } } };

const problems: [http: object, problem: string][] = [
  [{ auth: { ldap: {} } }, ""],
  [{ auth: { ldap: { port: 389 } } }, "http.auth.ldap.address: expected a value, got none"],
  [
    { auth: { ldap: { ...ldap, baseDN: "" } } },
    "http.auth.ldap.baseDN: expected a value, got none",
  ],
  [
    { auth: { ldap: { ...ldap, userAttribute: "uid)(x=*" } } },
    "http.auth.ldap.userAttribute: expected the name of an attribute",
  ],
  [
    { auth: { ldap: { ...ldap, startTLS: true } } },
    "http.auth.ldap.startTLS: expected insecure to be true beside it",
  ],
  [
    { auth: { ldap: { ...ldap, credentialsFile: "c", bindDN: "cn=x" } } },
    "http.auth.ldap.credentialsFile: expected it alone",
  ],
  [{ auth: { bearer: { ...bearer, service: "" } } }, "http.auth.bearer.service: expected a value"],
  [{ auth: { bearer: { realm: "x" } } }, "http.auth.bearer: expected cert, jwksUrl or oidc"],
  [
    { auth: { bearer: { ...bearer, jwksUrl: "https://a.example.com" } } },
    "http.auth.bearer.cert: expected it alone",
  ],
  [
    { auth: { bearer: { ...bearer, cert: "", jwksUrl: "http://a.example.com" } } },
    "http.auth.bearer.jwksUrl: expected an https URL",
  ],
  [
    { auth: { bearer: { ...bearer, service: "ümlaut" } } },
    "http.auth.bearer.service: expected printable",
  ],
  [
    { auth: { bearer: { ...bearer, realm: "https://ümlaut/" } } },
    "http.auth.bearer.realm: expected the http or https URL of the token service, got",
  ],
  [
    { auth: { bearer: { oidc: [{ ...issuer, issuer: "http://issuer.example.com" }] } } },
    "http.auth.bearer.oidc[0].issuer: expected an https URL",
  ],
  [
    {
      auth: {
        bearer: {
          oidc: [{ ...issuer, certificateAuthority: "x", certificateAuthorityFile: "y" }],
        },
      },
    },
    "http.auth.bearer.oidc[0].certificateAuthority: expected it alone",
  ],
  [
    { auth: { bearer: { oidc: [{ ...issuer, claimMapping: { username: "claims." } }] } } },
    "http.auth.bearer.oidc[0].claimMapping.username: expected a name",
  ],
  [{ auth: { bearer: { oidc: [{ ...issuer, audiences: [] }] } } }, "at least one audience"],
  [
    { auth: { mtls: { uriSanIndex: 1 } } },
    "http.auth.mtls: expected http.tls with cert, key and cacert",
  ],
  [{ auth: { mtls: { identityAttributes: ["Serial"] } } }, "expected one of CommonName, CN"],
  [{ auth: { token: { lifetime: "10m" } } }, "http.auth.token.lifetime: expected a duration"],
  [{ auth: { token: { lifetime: "10s" } } }, "http.auth.token.lifetime: expected a duration"],
  [{ accessControl: policy }, "http.accessControl: expected a method in http.auth"],
  [
    { accessControl: { groups: {} } },
    "http.accessControl: expected repositories, an adminPolicy or metrics",
  ],
  [
    { accessControl: { repositories: { "/a": {} } } },
    'http.accessControl.repositories["/a"]: expected a glob that a repository name can fit, got "/a"; did you mean "a"?',
  ],
  [{ accessControl: { adminPolicy: { actions: ["fly"] } } }, "expected one of read, create"],
  [{ accessControl: { adminPolicy: { user: ["x"] } } }, 'got "user"; did you mean users?'],
];

describe("problems", () => {
  test.each(problems)("%j", (http, problem) => {
    const loaded = checkConfig({ http });
    if (problem === "") expect(loaded).toHaveProperty("config");
    else expect("problems" in loaded ? loaded.problems.join("\n") : "loaded").toContain(problem);
  });
});

const unprotected = "everybody who reaches 0.0.0.0 may read, push and delete everything";
const tls = { cert: "server.crt", key: "server.key" };

const warnings: [http: object, warning: string | null][] = [
  [{ address: "0.0.0.0" }, unprotected],
  [{ address: "0.0.0.0", tls }, unprotected],
  [{ address: "::" }, "everybody who reaches :: may"],
  [{ address: "192.0.2.1" }, "everybody who reaches 192.0.2.1 may"],
  [{ address: "127.0.0.1" }, null],
  [{ address: "127.1.2.3" }, null],
  [{ address: "::1" }, null],
  [{ address: "localhost" }, null],
  [{}, null],
  [{ address: "0.0.0.0", tls, auth: { htpasswd: { path: "users" } } }, null],
  [
    { address: "0.0.0.0", auth: { htpasswd: { path: "users" } } },
    "passwords and tokens travel to 0.0.0.0 in the clear",
  ],
  [
    {
      address: "0.0.0.0",
      externalUrl: "https://zot.example.com",
      auth: { htpasswd: { path: "users" } },
    },
    null,
  ],
  [{ address: "0.0.0.0", tls: { ...tls, cacert: "ca.crt" } }, null],
  [
    {
      address: "0.0.0.0",
      accessControl: { repositories: { "**": { anonymousPolicy: ["read"] } } },
    },
    null,
  ],
  [{ auth: { htpasswd: { path: "users" } } }, null],
  [
    { auth: { ldap: { ...ldap, insecure: true } } },
    "passwords travel to the directory in the clear",
  ],
  [{ auth: { ldap: { ...ldap, insecure: true, startTLS: true } } }, null],
  [{ auth: { ldap: { ...ldap, insecure: true, address: "127.0.0.1" } } }, null],
  [{ auth: { ldap: { ...ldap, skipVerify: true } } }, "is believed to be the directory"],
  [{ auth: { apikey: true } }, "http.auth.apikey: nobody can make a key"],
  [
    { externalUrl: "http://zot.example.com", auth: { htpasswd: { path: "users" } } },
    "clients send passwords and tokens to it in the clear",
  ],
  [{ externalUrl: "http://127.0.0.1:8080", auth: { htpasswd: { path: "users" } } }, null],
  [
    { auth: { bearer: { oidc: [{ ...issuer, skipIssuerVerification: true }] } } },
    "tokens of any issuer are accepted",
  ],
  [{ accessControl: { repositories: { "**": { anonymousPolicy: ["read"] } } } }, null],
];

describe("warnings", () => {
  test.each(warnings)("%j", (http, warning) => {
    const loaded = checkConfig({ http, storage: { rootDirectory: "/data" } });
    const said = "warnings" in loaded ? loaded.warnings : ["not loaded"];
    if (warning === null) expect(said).toEqual([]);
    else expect(said.join("\n")).toContain(warning);
  });
});
