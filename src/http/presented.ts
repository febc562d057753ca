/** Reads the credentials that a request carries, for `Authenticator`. */
import type { Presented } from "../auth/presented.ts";
import type { Connection } from "./call.ts";

/** The header of zot's own pages, and of programs that use their cookies: no form and no foreign page can send it. */
const pageHeader = "x-zot-api-client";

export function presentedBy({ headers }: Request, connection: Connection): Presented {
  const cookie = headers.get("cookie");
  return {
    authorization: headers.get("authorization"),
    cookie,
    certificate: connection.certificate,
    origin: {
      address: connection.address,
      // Only a cookie needs to know.
      ownPage: cookie !== null && isOwnPage(headers),
    },
  };
}

/** Browsers say where a request comes from (Fetch Metadata); who sends neither header is no page of ours. */
function isOwnPage(headers: Headers): boolean {
  return headers.has(pageHeader) || headers.get("sec-fetch-site") === "same-origin";
}
