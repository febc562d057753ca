/** What a store of objects is opened with, beside what the configuration says of it. */
import type { Clock } from "../../lib/clock.ts";
import type { Environment } from "../../lib/cloud/cloud_login.ts";

export interface OpenParts {
  readonly clock: Clock;
  /** Where logins are looked for that the configuration does not have. */
  readonly env: Environment;
  /** Told what is wrong and does not stop anything, in one line. */
  readonly report: (line: string) => void;
}
