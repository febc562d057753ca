// Cases: logins. A registry that lets anyone do anything skips them all.
//
// They use what the run was given: a right login comes from the command line, a wrong one is made up.
// Nothing here guesses passwords: one wrong login is tried per case.
import { basicAuthorization } from "../../client/client_auth.ts";
import { type Challenge, challengeScopes, parseChallenges } from "../../client/challenge.ts";
import { ClientError } from "../../client/client_error.ts";
import type { Exchange } from "../../client/exchange.ts";
import { resolveAddress, withQuery } from "../../client/registry_url.ts";
import { isJsonObject } from "../../lib/strict_json.ts";
import {
  expectErrorBody,
  expectHeader,
  expectJson,
  expectNoBody,
  expectStatus,
  expectThat,
  jsonOf,
  expectPushed,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped, Unsupported } from "../verdict.ts";
import { once } from "./once.ts";

const should = { level: "should" } as const;

export function loginScenarios(): Scenario[] {
  return [
    scenario("login", "login.challenge", "Being asked for a login", challengeCases),
    scenario("login", "login.answer", "Logging in", answerCases),
    scenario("login", "login.token", "The token service", tokenCases),
  ];
}

interface Asked {
  answer: Exchange;
  challenges: Challenge[];
}

/** What a push without a login is told; skips where anyone may push. */
async function challengeOf(t: Trial): Promise<Asked> {
  const anyone = t.clientWith({ kind: "anonymous" });
  const answer = await anyone.uploadStart(t.repository, [], { login: "none" });
  if (answer.status === 202) {
    await anyone.uploadCancel(anyone.exchanger.resolve(answer.headers.get("Location") ?? "/v2/"));
    throw new Skipped("Anyone may push here");
  }
  return { answer, challenges: parseChallenges(answer.headers.all("WWW-Authenticate")) };
}

const asked = once(challengeOf);

const challengeCases: readonly Case[] = [
  negative("status", "A push without a login is refused with 401", "unauthorized", async (t) => {
    expectStatus((await asked(t)).answer, 401);
  }),
  negative(
    "challenge",
    "The 401 says which login is wanted",
    "unauthorized",
    async (t) => {
      const { answer, challenges } = await asked(t);
      expectHeader(answer, "WWW-Authenticate");
      const known = challenges.some(({ scheme }) => scheme === "basic" || scheme === "bearer");
      expectThat(known, "Expected a Basic or Bearer challenge");
    },
    { after: ["status"] },
  ),
  negative(
    "realm",
    "The challenge has a quoted realm",
    "challengeGrammar",
    async (t) => {
      const line = expectHeader((await asked(t)).answer, "WWW-Authenticate");
      expectThat(/\brealm="[^"]*"/i.test(line), `Expected realm="...", got ${line}`);
    },
    { after: ["challenge"] },
  ),
  negative(
    "code",
    "The body has the code UNAUTHORIZED",
    "errorCode",
    async (t) => {
      const { answer } = await asked(t);
      if (jsonOf(answer) === undefined) throw new Unsupported("No JSON body");
      expectErrorBody(answer, ["UNAUTHORIZED"]);
    },
    { after: ["status"], level: "should" },
  ),
  negative("head", "HEAD is refused without a body", "headParity", async (t) => {
    await asked(t);
    const anyone = t.clientWith({ kind: "anonymous" });
    const answer = await anyone.manifestHead(t.repository, "latest", {
      login: "none",
      readPastEnd: true,
    });
    if (answer.status !== 401) throw new Skipped("Anyone may pull here");
    expectNoBody(answer);
  }),
  negative(
    "unknown-repository",
    "An unknown repository is refused like a known one",
    "isolation",
    async (t) => {
      await asked(t);
      const anyone = t.clientWith({ kind: "anonymous" });
      const known = await anyone.tagsList(t.repository, [], { login: "none" });
      if (known.status !== 401) throw new Skipped("Anyone may pull here");
      const unknown = await anyone.tagsList(`${t.repository}/never-${t.seed}`, [], {
        login: "none",
      });
      expectStatus(unknown, known.status);
    },
    should,
  ),
];

const withLogin = async (t: Trial): Promise<Asked> => {
  const found = await asked(t);
  if (t.credentials.kind === "anonymous") throw new Skipped("No login was given");
  return found;
};
const raw = async (t: Trial, authorization: string): Promise<Exchange> =>
  t.client.uploadStart(t.repository, [], { login: { authorization } });

const answerCases: readonly Case[] = [
  positive("right", "The right login may push and pull", "pingIsForLogin", async (t) => {
    await withLogin(t);
    expectStatus(await t.client.ping(), 200);
    const blob = await expectPushed(t.pushBlob(t.blob()));
    expectStatus(await t.client.blobGet(t.repository, blob.digest), 200);
  }),
  negative("wrong-password", "A wrong password is refused with 401", "unauthorized", async (t) => {
    await asked(t);
    const user = t.credentials.kind === "password" ? t.credentials.user : "nobody";
    const wrong = t.clientWith({ kind: "password", user, password: `wrong-${t.seed}` });
    try {
      expectStatus(await wrong.uploadStart(t.repository), 401);
    } catch (error) {
      // With a token service it is the service that says no.
      if (!(error instanceof ClientError && error.kind === "loginRefused")) throw error;
    }
  }),
  negative(
    "empty-basic",
    "An empty Basic login is answered like none",
    "emptyBasic",
    async (t) => {
      const { answer } = await asked(t);
      expectStatus(await raw(t, basicAuthorization("", "")), answer.status);
    },
    should,
  ),
  negative(
    "garbage-basic",
    "A Basic login that is no base64 is refused, and nothing fails",
    "unauthorized",
    async (t) => {
      await asked(t);
      expectStatus(await raw(t, "Basic !!!"), [400, 401, 403]);
    },
    should,
  ),
  negative("unknown-scheme", "An unknown scheme is refused", "unauthorized", async (t) => {
    await asked(t);
    expectStatus(await raw(t, "Example abc"), [400, 401, 403]);
  }),
  positive(
    "scheme-case",
    "The scheme may be written in any case",
    "challengeGrammar",
    async (t) => {
      await withLogin(t);
      if (t.credentials.kind !== "password") throw new Skipped("No password was given");
      const { user, password } = t.credentials;
      const basic = basicAuthorization(user, password);
      if ((await raw(t, basic)).status !== 202) throw new Skipped("Basic is not accepted here");
      expectStatus(await raw(t, basic.replace("Basic", "bAsIc")), 202);
    },
    should,
  ),
  negative(
    "invalid-token",
    "An invalid Bearer token is refused with 401",
    "unauthorized",
    async (t) => {
      const { challenges } = await asked(t);
      const bearer = challenges.some(({ scheme }) => scheme === "bearer");
      if (!bearer) throw new Skipped("No Bearer challenge");
      expectStatus(await raw(t, "Bearer invalid"), 401);
    },
  ),
];

const bearerOf = async (t: Trial): Promise<{ challenge: Challenge; answer: Exchange }> => {
  const { answer, challenges } = await asked(t);
  const challenge = challenges.find(({ scheme }) => scheme === "bearer");
  if (challenge === undefined) throw new Skipped("No Bearer challenge");
  return { challenge, answer };
};
/** Asks the realm for a token with the run's password. */
const ask = async (t: Trial, method: "GET" | "POST"): Promise<Exchange> => {
  const { challenge, answer } = await bearerOf(t);
  if (t.credentials.kind !== "password") throw new Skipped("No password was given");
  const { user, password } = t.credentials;
  const realm = resolveAddress(challenge.parameters.get("realm") ?? "", answer.address);
  if (realm === null) throw new Broken("The realm is no URL");
  const service = challenge.parameters.get("service") ?? "";
  const scope = challengeScopes(challenge).join(" ");
  if (method === "GET") {
    const target = withQuery(realm.target, [
      ["service", service],
      ["scope", scope],
    ]);
    const login = { authorization: basicAuthorization(user, password) };
    // The exchanger gives a login to the registry's origin only; a realm elsewhere gets it as a header.
    const headers = [["Authorization", login.authorization]] as const;
    return t.client.exchange({
      method,
      url: { ...realm, target },
      headers,
      login: "none",
      secretBodies: true,
    });
  }
  const form = new URLSearchParams({
    grant_type: "password",
    client_id: "zot",
    service,
    scope,
    username: user,
    password,
  });
  const headers = [["Content-Type", "application/x-www-form-urlencoded"]] as const;
  const body = new TextEncoder().encode(form.toString());
  return t.client.exchange({
    method,
    url: realm,
    headers,
    body,
    login: "none",
    secretBodies: true,
  });
};

const tokenCases: readonly Case[] = [
  negative(
    "parameters",
    "A Bearer challenge names realm, service and scope",
    "tokenService",
    async (t) => {
      const { challenge } = await bearerOf(t);
      for (const name of ["realm", "service", "scope"]) {
        expectThat(challenge.parameters.has(name), `Expected ${name} in the challenge`);
      }
    },
    should,
  ),
  negative(
    "scope",
    "The scope of a push names the repository with push",
    "tokenService",
    async (t) => {
      const { challenge } = await bearerOf(t);
      const scopes = challengeScopes(challenge);
      const fits = scopes.some((scope) =>
        new RegExp(`^repository:${t.repository}:.*\\bpush\\b`).test(scope),
      );
      expectThat(fits, `Expected repository:${t.repository}:...push, got ${scopes.join(" ")}`);
    },
    should,
  ),
  positive(
    "get",
    "The realm gives a token for GET with Basic",
    "tokenService",
    async (t) => {
      const answer = await ask(t, "GET");
      expectStatus(answer, 200);
      const body = expectJson(answer);
      const token = body["access_token"] ?? body["token"];
      expectThat(typeof token === "string" && token !== "", "Expected token or access_token");
    },
    should,
  ),
  positive(
    "post",
    "The realm gives a token for POST with a password, or says that it does not",
    "tokenService",
    async (t) => {
      const answer = await ask(t, "POST");
      expectStatus(answer, [200, 400, 401, 404, 405]);
      const body = jsonOf(answer);
      const token = isJsonObject(body) ? body["access_token"] : null;
      // A success without access_token is fatal for clients that POST first.
      if (answer.status === 200) expectThat(typeof token === "string", "Expected access_token");
    },
    should,
  ),
  negative(
    "invalid-token-error",
    'An invalid token is refused with error="invalid_token"',
    "tokenService",
    async (t) => {
      await bearerOf(t);
      const answer = await t.client.uploadStart(t.repository, [], {
        login: { authorization: "Bearer invalid" },
      });
      const [challenge] = parseChallenges(answer.headers.all("WWW-Authenticate"));
      const error = challenge?.parameters.get("error");
      expectThat(
        error === "invalid_token",
        `Expected error="invalid_token", got ${error ?? "none"}`,
      );
    },
    should,
  ),
];
