/**
 * The token service: GET as Docker's clients ask (distribution, "Token Authentication Specification"), POST as OAuth2
 * has it ("OAuth2 Token Authentication"; RFC 6749 §4.3).
 *
 * A token allows what was asked for and what the caller may do; when that is nothing, the caller still gets a token.
 * Wrong credentials get 401, missing ones an anonymous token. A token cannot be exchanged for another one, so its end
 * is final. Answers must not be cached. `auth/token_service.ts` issues the tokens.
 */
import type { PolicyCaller } from "../auth/caller.ts";
import type { Challenge } from "../auth/challenge.ts";
import { LoginFailed } from "../auth/login_failed.ts";
import type { Auth } from "../auth/open_auth.ts";
import type { Presented } from "../auth/presented.ts";
import { parseScopes } from "../auth/scope.ts";
import type { IssuedToken, TokenService } from "../auth/token_service.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { presentedBy } from "../http/presented.ts";
import { jsonReply } from "../http/reply.ts";
import { parseMediaType } from "../lib/http_fields.ts";
import { apiError } from "../oci/errors.ts";
import { shorten, type App } from "./app.ts";

/** A password may be the ID token of a workload; nothing else in the form is long. */
const formBytesMax = 64 * 1024;
const noStore = { "cache-control": "no-store" };
/** How clients log in here. */
const basic: Challenge = { kind: "basic", realm: "zot" };

/** GET with Basic credentials or none. */
export async function getToken(call: Call, app: App): Promise<Reply> {
  const { auth, tokens } = service(app);
  checkService(tokens, call.query.get("service"));
  const caller = await identify(() => auth.authenticator.authenticate(withoutCookie(call)));
  const asking = caller.paidBy(call.budget);
  const issued = await tokens.issue(asking, parseScopes(call.query.getAll("scope")));
  call.caller = caller;
  return jsonReply(200, tokenBody(issued), noStore);
}

/** POST of a form. */
export async function postToken(call: Call, app: App): Promise<Reply> {
  const { auth, tokens } = service(app);
  const form = await readForm(call, app.uploadIdleMs);
  checkService(tokens, form.get("service"));
  if (form.get("grant_type") !== "password") return refused("unsupported_grant_type");
  const name = form.get("username");
  const password = form.get("password");
  if (name === null || password === null || name.includes(":")) return refused("invalid_request");
  const caller = await identify(() =>
    auth.authenticator.login(name, password, withoutCookie(call)),
  );
  const issued = await tokens.issue(caller.paidBy(call.budget), parseScopes(form.getAll("scope")));
  call.caller = caller;
  const scope = issued.access
    .map(({ type, name, actions }) => `${type}:${name}:${actions.join(",")}`)
    .join(" ");
  return jsonReply(200, { ...tokenBody(issued), scope }, noStore);
}

function service({ auth }: App): { auth: Auth; tokens: TokenService } {
  if (auth === null || auth.tokens === null) throw apiError("NOT_FOUND");
  return { auth, tokens: auth.tokens };
}

function checkService({ service }: TokenService, asked: string | null): void {
  if (asked === null || asked === service) return;
  throw apiError("PARAMETER_INVALID", {
    message: `Expected service=${service}, got ${shorten(asked)}`,
  });
}

/** A browser's session gets no token: no page may ask for one in its user's name. */
function withoutCookie({ request, connection }: Call): Presented {
  return { ...presentedBy(request, connection), cookie: null };
}

/** @throws UNAUTHORIZED and the like; a caller who shows a token gets no other for it. */
async function identify(login: () => PolicyCaller | Promise<PolicyCaller>): Promise<PolicyCaller> {
  try {
    const caller = await login();
    const { provenBy } = caller.identity;
    if (provenBy !== "token" && provenBy !== "outside token") return caller;
    throw new LoginFailed("invalid", "a token is no login");
  } catch (error) {
    if (error instanceof LoginFailed) throw error.toApiError(basic, null);
    throw error;
  }
}

async function readForm(call: Call, idleMs: number): Promise<URLSearchParams> {
  const type = parseMediaType(call.header("content-type"));
  if (type?.toLowerCase() !== "application/x-www-form-urlencoded") {
    throw apiError("REQUEST_INVALID", {
      message: "Expected a form, application/x-www-form-urlencoded",
    });
  }
  const bytes = await call.readBody({
    bytesMax: formBytesMax,
    idleMs,
    tooLarge: () => apiError("REQUEST_TOO_LARGE"),
  });
  return new URLSearchParams(new TextDecoder().decode(bytes));
}

function tokenBody({ token, lifetimeS, issuedAt }: IssuedToken) {
  return { token, access_token: token, expires_in: lifetimeS, issued_at: issuedAt };
}

/** RFC 6749 §5.2. */
function refused(error: "unsupported_grant_type" | "invalid_request"): Reply {
  return jsonReply(400, { error }, noStore);
}
