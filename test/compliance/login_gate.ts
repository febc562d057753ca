// A login in front of a registry that has none, so that logins can be broken one rule at a time too.
//
// `basicGate` asks for Basic. `bearerGate` asks for Bearer and is the token service as well, at
// `/token`. One user, `ann` with the password `secret`, may do everything; nobody else anything.

import { type Answer, type Fault, type Request, valueOf } from "./fault_proxy.ts";
import { plain } from "./mutants/tools.ts";

export const gateLogin = { kind: "password", user: "ann", password: "secret" } as const;

const rightBasic = `basic ${Buffer.from("ann:secret").toString("base64")}`;
const rightToken = "the-right-token";
const unauthorized = JSON.stringify({
  errors: [{ code: "UNAUTHORIZED", message: "Login needed" }],
});

const authorizationOf = (request: Request): string => {
  const value = valueOf(request.headers, "Authorization") ?? "";
  return value.replace(/^\S+/, (scheme) => scheme.toLowerCase());
};

function refused(request: Request, challenge: string): Answer {
  const answer = plain(401, unauthorized, [
    ["Content-Type", "application/json"],
    ["WWW-Authenticate", challenge],
  ]);
  return request.method === "HEAD" ? { ...answer, body: new Uint8Array(0) } : answer;
}

/** Lets requests with the right Basic login through; `edit` may spoil the refusals. */
export function basicGate(edit: (refusal: Answer, request: Request) => Answer = (a) => a): Fault {
  return (request, forward) => {
    if (authorizationOf(request) === rightBasic) return forward(request);
    return Promise.resolve(edit(refused(request, 'Basic realm="registry"'), request));
  };
}

/** Lets requests with the token through, and gives it at `/token`. */
export function bearerGate(edit: (answer: Answer, request: Request) => Answer = (a) => a): Fault {
  return (request, forward) => {
    if (request.path === "/token") return Promise.resolve(edit(tokenAnswer(request), request));
    const authorization = authorizationOf(request);
    if (authorization === `bearer ${rightToken}`) return forward(request);
    const realm = `http://${valueOf(request.headers, "Host") ?? ""}/token`;
    const error = authorization.startsWith("bearer ") ? ',error="invalid_token"' : "";
    const challenge = `Bearer realm="${realm}",service="registry",scope="${scopeOf(request)}"${error}`;
    return Promise.resolve(edit(refused(request, challenge), request));
  };
}

function tokenAnswer(request: Request): Answer {
  const form = new URLSearchParams(Buffer.from(request.body).toString());
  const right =
    request.method === "GET"
      ? authorizationOf(request) === rightBasic
      : form.get("username") === "ann" && form.get("password") === "secret";
  if (!right) return plain(401, unauthorized);
  return plain(
    200,
    JSON.stringify({ token: rightToken, access_token: rightToken, expires_in: 300 }),
  );
}

function scopeOf(request: Request): string {
  const name = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(request.path)?.[1];
  if (name === undefined) return "";
  const action = request.method === "GET" || request.method === "HEAD" ? "pull" : "pull,push";
  return `repository:${name}:${action}`;
}
