// What can go wrong between a client and a registry before there is an answer to judge.
//
// Every failure has a kind, so that a program can branch on it, and one line that names the host and
// the cause, so that a person can act on it. Answers of the registry, also 4xx and 5xx, are no
// errors here: they are exchanges, and the caller decides what they mean.

/** Why there is no answer. The texts complete the line "<host>: ...". */
export const clientErrorKinds = {
  badUrl: "is not a registry address",
  unknownHost: "host name cannot be resolved",
  refused: "connection refused; is the registry running on this port?",
  unreachable: "host cannot be reached",
  connectTimeout: "no connection within the limit",
  answerTimeout: "connected, but no answer within the limit",
  closed: "connection closed before the answer was complete",
  notHttp: "answered with something that is not HTTP",
  tlsExpected: "speaks TLS where plain HTTP was asked; use https://",
  plainExpected: "speaks plain HTTP where TLS was asked; use http://",
  certificate: "certificate is not trusted",
  clientCertificate: "TLS handshake refused; a client certificate may be required",
  notRegistry: "answers, but has no registry API at /v2/",
  redirectLoop: "redirects in a loop",
  answerTooLarge: "answer is larger than the limit",
  loginRequired: "needs a login; give a user and password or a token",
  loginRefused: "refused the login",
  credentials: "its login cannot be had",
  tokenService: "its token service does not work",
  proxy: "proxy does not let us through",
  itself: "is this server itself",
  egress: "is not an address that may be called",
  aborted: "request was cancelled",
} as const;

export type ClientErrorKind = keyof typeof clientErrorKinds;

/** A request that got no answer to judge. `message` is one line: host, cause, what to do. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly kind: ClientErrorKind;
  /** `host:port`, or what the user wrote where an address was expected. */
  readonly host: string;
  /** Of a token service that refused; null where nothing was answered. */
  readonly status: number | null;
  /** Its `Retry-After`. */
  readonly retryAfter: string | null;

  constructor(
    kind: ClientErrorKind,
    host: string,
    options: {
      detail?: string;
      cause?: unknown;
      status?: number;
      retryAfter?: string | null;
    } = {},
  ) {
    const detail = options.detail === undefined ? "" : ` (${options.detail})`;
    super(`${host}: ${clientErrorKinds[kind]}${detail}`, { cause: options.cause });
    this.kind = kind;
    this.host = host;
    this.status = options.status ?? null;
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** Error codes of sockets and of the TLS library, and the kind each one means. */
const kindOfCode: ReadonlyMap<string, ClientErrorKind> = new Map([
  ["ENOTFOUND", "unknownHost"],
  ["EAI_AGAIN", "unknownHost"],
  ["EAI_NODATA", "unknownHost"],
  ["EAI_NONAME", "unknownHost"],
  ["ECONNREFUSED", "refused"],
  ["EHOSTUNREACH", "unreachable"],
  ["ENETUNREACH", "unreachable"],
  ["EADDRNOTAVAIL", "unreachable"],
  ["ETIMEDOUT", "connectTimeout"],
  ["ECONNRESET", "closed"],
  ["EPIPE", "closed"],
  ["ECONNABORTED", "closed"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "plainExpected"],
  ["ERR_SSL_HTTP_REQUEST", "plainExpected"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "plainExpected"],
  ["ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "clientCertificate"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "clientCertificate"],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "clientCertificate"],
  ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "clientCertificate"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "clientCertificate"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate"],
]);

/** Codes of certificate checks have no common prefix, but these words. */
const certificateCode = /CERT|SELF_SIGNED|ISSUER|SIGNATURE|CHAIN|HOSTNAME_MISMATCH/;

/** Turns the error of a socket into a ClientError; a ClientError passes unchanged. */
export function toClientError(error: unknown, host: string): ClientError {
  if (error instanceof ClientError) return error;
  const code = codeOf(error);
  const kind = kindOfCode.get(code) ?? (certificateCode.test(code) ? "certificate" : "closed");
  const text = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  const detail = kind === "certificate" || !kindOfCode.has(code) ? (text ?? code) : code;
  return new ClientError(kind, host, { detail, cause: error });
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
