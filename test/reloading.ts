// What tests of reloading share: changing the file of a server that runs, and waiting for what it says of it.

import { eventually, type LogLine, type Zot } from "./harness.ts";

export const changedText = "the configuration was changed";
export const refusedText = "the changed configuration file is refused; what runs stays as it is";
export const waitingText = "changed options wait for a restart";
export const unchangedText = "the configuration file was read again; it changes nothing";

/** Lines of the supervisor with that text. */
export function said(zot: Zot, msg: string): LogLine[] {
  return zot.logs().filter((line) => line["msg"] === msg && line["worker"] === undefined);
}

/** Changes the file and waits for the line that says so; `changes` is the whole file but for address, port and root. */
export async function change(zot: Zot, changes: object, msg = changedText): Promise<LogLine> {
  const before = said(zot, msg).length;
  await zot.configure(changes);
  return await eventually(`the log says: ${msg}`, () => said(zot, msg)[before]);
}
