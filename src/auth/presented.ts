/** The credentials that a request carries, over whatever protocol it came. */
import type { CertificateNames } from "./client_certificate.ts";

/** Where a request comes from. */
export interface Origin {
  readonly address: string | null;
  /**
   * Sent by a page of this registry, or by a program: a browser sends cookies along with requests of any page, and
   * only those of our own may count.
   */
  readonly ownPage: boolean;
}

/** Everything in a request that may tell who sends it. */
export interface Presented {
  /** The Authorization header. */
  readonly authorization: string | null;
  /** The Cookie header. */
  readonly cookie: string | null;
  /** What the connection showed. */
  readonly certificate: CertificateNames | null;
  readonly origin: Origin;
}
