// A registry at an address, as the tests of search push to one.

import type { Exchange } from "../../src/client/exchange.ts";
import type { World } from "../http/world.ts";

export function worldAt(url: string): World {
  const send = async (
    method: string,
    target: string,
    options: { headers?: Record<string, string>; body?: Uint8Array | string } = {},
  ): Promise<Exchange> => {
    const init = { method, headers: options.headers ?? {}, body: options.body ?? null };
    const answer = await fetch(`${url}${target}`, init);
    const body = new Uint8Array(await answer.arrayBuffer());
    return { status: answer.status, headers: answer.headers, body } as unknown as Exchange;
  };
  return { send, [Symbol.asyncDispose]: async () => {} } as unknown as World;
}
