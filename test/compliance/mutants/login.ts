// Mutants of logins: the gate of login_gate.ts, spoilt.

import { type Answer, type Fault, type Request, valueOf, withHeader } from "../fault_proxy.ts";
import { basicGate, bearerGate } from "../login_gate.ts";
import { isUploadStart, plain, type Mutant } from "./tools.ts";

const challenge =
  (edit: (value: string) => string | null) =>
  (answer: Answer): Answer => {
    const value = valueOf(answer.headers, "WWW-Authenticate");
    if (value === null) return answer;
    return { ...answer, headers: withHeader(answer.headers, "WWW-Authenticate", edit(value)) };
  };
const hasLogin = (request: Request): boolean => valueOf(request.headers, "Authorization") !== null;

/** The gate, with some requests answered before it. */
const before = (gate: () => Fault, answer: (request: Request) => Answer | null): Fault => {
  const behind = gate();
  return (request, forward) => {
    const early = answer(request);
    return early === null ? behind(request, forward) : Promise.resolve(early);
  };
};

const authorization = (request: Request): string => valueOf(request.headers, "Authorization") ?? "";

const rows: readonly Omit<Mutant, "login">[] = [
  {
    breaks: "without a login the answer is 403",
    names: "login.challenge/status",
    fault: () =>
      basicGate((a, q) => (isUploadStart(q) && !hasLogin(q) ? { ...a, status: 403 } : a)),
  },
  {
    breaks: "the 401 has no challenge for pushes",
    names: "login.challenge/challenge",
    fault: () => basicGate((a, q) => (isUploadStart(q) ? challenge(() => null)(a) : a)),
  },
  {
    breaks: "the realm is not quoted",
    names: "login.challenge/realm",
    fault: () => basicGate(challenge((value) => value.replaceAll('"', ""))),
  },
  {
    breaks: "the 401 has the code DENIED",
    names: "login.challenge/code",
    fault: () =>
      basicGate((a) => {
        const body = Buffer.from(Buffer.from(a.body).toString().replace("UNAUTHORIZED", "DENIED"));
        return {
          ...a,
          body,
          headers: withHeader(a.headers, "Content-Length", String(body.length)),
        };
      }),
  },
  {
    breaks: "an unknown repository is 404 without a login",
    names: "login.challenge/unknown-repository",
    fault: () =>
      before(basicGate, (q) => (q.path.includes("/never-") && !hasLogin(q) ? plain(404) : null)),
  },
  {
    breaks: "the right login may not push",
    names: "login.answer/right",
    fault: () => before(basicGate, (q) => (q.method === "PUT" && hasLogin(q) ? plain(403) : null)),
  },
  {
    breaks: "any password will do",
    names: "login.answer/wrong-password",
    fault: () => {
      const gate = basicGate();
      return (request, forward) =>
        authorization(request).startsWith("Basic ") ? forward(request) : gate(request, forward);
    },
  },
  {
    breaks: "a wrong password is 403",
    names: "login.answer/wrong-password",
    fault: () => basicGate((a, q) => (hasLogin(q) ? { ...a, status: 403 } : a)),
  },
  {
    breaks: "an empty Basic login is 403",
    names: "login.answer/empty-basic",
    fault: () => before(basicGate, (q) => (authorization(q) === "Basic Og==" ? plain(403) : null)),
  },
  {
    breaks: "a login that is no base64 is 500",
    names: "login.answer/garbage-basic",
    fault: () => before(basicGate, (q) => (authorization(q) === "Basic !!!" ? plain(500) : null)),
  },
  {
    breaks: "an unknown scheme is let in",
    names: "login.answer/unknown-scheme",
    fault: () => {
      const gate = basicGate();
      return (request, forward) =>
        authorization(request).startsWith("Example") ? forward(request) : gate(request, forward);
    },
  },
  {
    breaks: "the scheme has to be written Basic",
    names: "login.answer/scheme-case",
    fault: () =>
      before(basicGate, (q) => (authorization(q).startsWith("bAsIc") ? plain(401) : null)),
  },
  {
    breaks: "an invalid token is let in",
    names: "login.answer/invalid-token",
    fault: () => {
      const gate = bearerGate();
      return (request, forward) =>
        authorization(request) === "Bearer invalid" ? forward(request) : gate(request, forward);
    },
  },
  {
    breaks: "the challenge has no service",
    names: "login.token/parameters",
    fault: () => bearerGate(challenge((value) => value.replace(/,service="[^"]*"/, ""))),
  },
  {
    breaks: "the scope of a push is pull",
    names: "login.token/scope",
    fault: () => bearerGate(challenge((value) => value.replace("pull,push", "pull"))),
  },
  {
    breaks: "the token service gives its token under another name for GET",
    names: "login.token/get",
    // The client's own fetches name the account; the case's does not.
    fault: () =>
      bearerGate((a, q) =>
        q.path === "/token" && q.method === "GET" && !q.query.includes("account=")
          ? plain(200, '{"jwt":"x"}')
          : a,
      ),
  },
  {
    breaks: "POST is answered with 200 and no access_token",
    names: "login.token/post",
    fault: () =>
      bearerGate((a, q) => (q.path === "/token" && q.method === "POST" ? plain(200, "{}") : a)),
  },
  {
    breaks: "an invalid token is not called that",
    names: "login.token/invalid-token-error",
    fault: () => bearerGate(challenge((value) => value.replace(/,error="[^"]*"/, ""))),
  },
];

export const loginMutants: readonly Mutant[] = rows.map((row) => ({ ...row, login: true }));
