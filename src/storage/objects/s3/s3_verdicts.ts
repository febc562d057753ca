/** What answers of S3 mean, by their error codes where there is one, else by their status. */
import type { StoreAnswer, StoreRequest, Verdict } from "../http/store_dialect.ts";
import { elementText } from "../http/xml_text.ts";
import { adviceOn } from "../store_advice.ts";

type Meaning = "again" | "absent" | "login" | "time" | "place" | "denied";

const meanings: Readonly<Record<string, Meaning>> = {
  SlowDown: "again",
  RequestTimeout: "again",
  InternalError: "again",
  ServiceUnavailable: "again",
  OperationAborted: "again",
  TooManyRequests: "again",
  Throttling: "again",
  XMinioServerNotInitialized: "again",
  NoSuchKey: "absent",
  NoSuchUpload: "absent",
  ExpiredToken: "login",
  InvalidToken: "login",
  TokenRefreshRequired: "login",
  InvalidAccessKeyId: "login",
  SignatureDoesNotMatch: "login",
  RequestTimeTooSkewed: "time",
  PermanentRedirect: "place",
  TemporaryRedirect: "place",
  Redirect: "place",
  AuthorizationHeaderMalformed: "place",
  IllegalLocationConstraintException: "place",
  AccessDenied: "denied",
  AllAccessDisabled: "denied",
  AccountProblem: "denied",
};

const statuses: Readonly<Record<number, Meaning>> = {
  301: "place",
  307: "place",
  403: "denied",
  408: "again",
  429: "again",
  500: "again",
  502: "again",
  503: "again",
  504: "again",
};

export function verdictOf({ operation }: StoreRequest, answer: StoreAnswer): Verdict {
  const { status, text } = answer;
  const isError = status >= 300 || /<Error[\s>]/.test(text.slice(0, 1_000));
  if (!isError) return { kind: "fine" };
  const code = elementText(text, "Code") ?? "";
  const says = /^\w{1,80}$/.test(code) ? `${status} (${code})` : `${status}`;
  // An answer to HEAD does not say why.
  const isMute = operation.method === "HEAD" && (status === 400 || status === 403);
  // What is absent is not there to those who name it: any other 404 is of somebody else, such as a proxy.
  if (operation.method === "HEAD" && status === 404) return { kind: "absent" };
  const meaning = isMute ? "login" : (meanings[code] ?? statuses[status]);
  if (meaning === "absent") return { kind: "absent" };
  if (meaning === "again") return { kind: "again", says };
  const words = isMute ? ["403"] : [code, `${status}`];
  const help = adviceOn(words, { store: "s3", permission: operation.permission });
  const line = help === null ? says : `${says}: ${help}`;
  if (meaning === undefined || meaning === "denied") return { kind: "refused", says: line };
  return { kind: "learned", what: meaning, says: line };
}
