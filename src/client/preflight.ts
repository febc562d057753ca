// Is there a registry at this address, and does it let us in? Asked once before long work.
//
// Anything but a usable registry becomes a ClientError whose one line names the cause: nothing
// listens, silence, no HTTP, TLS and plain text confused, a login missing or refused. What a
// registry answers otherwise (also a wrong status) is returned, for the caller to judge.
import { ClientError } from "./client_error.ts";
import { hostAndPort } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import { formatRequestHead } from "./http_message.ts";
import { openConnection } from "./open_connection.ts";
import type { RegistryClient } from "./registry_client.ts";
import { readHead } from "./response_reader.ts";

const probeLimits = { connectMs: 3000, idleMs: 3000 };

/** Pings the registry [end-1]. Throws a ClientError when there is nothing to work with. */
export async function checkRegistry(client: RegistryClient): Promise<Exchange> {
  const { origin } = client.exchanger;
  const host = hostAndPort(origin);
  let answer: Exchange;
  try {
    answer = await client.ping();
  } catch (error) {
    const kind = error instanceof ClientError ? error.kind : null;
    if (kind !== "closed" && kind !== "connectTimeout") throw error;
    if (!origin.tls && (await speaksTls(origin))) {
      throw new ClientError("tlsExpected", host, { cause: error });
    }
    if (origin.tls && (await speaksPlain(origin))) {
      throw new ClientError("plainExpected", host, { cause: error });
    }
    throw error;
  }
  if (answer.status === 401 || answer.status === 403) {
    const kind = client.exchanger.auth.hasLogin ? "loginRefused" : "loginRequired";
    throw new ClientError(kind, host, { detail: `GET /v2/ answered ${answer.status}` });
  }
  // Servers with TLS answer plain requests with a plain 400, each in its own words.
  if (answer.status === 400 && !origin.tls && (await speaksTls(origin))) {
    throw new ClientError("tlsExpected", host);
  }
  if (answer.status === 404) {
    throw new ClientError("notRegistry", host, { detail: "GET /v2/ answered 404" });
  }
  return answer;
}

async function speaksTls(origin: { host: string; port: number }): Promise<boolean> {
  try {
    const connection = await openConnection({ ...origin, tls: { insecure: true } }, probeLimits);
    connection.destroy();
    return true;
  } catch {
    return false;
  }
}

/** Some plain servers wait for a line that a TLS greeting never sends: silence, not an error. */
async function speaksPlain(origin: { host: string; port: number }): Promise<boolean> {
  try {
    const connection = await openConnection({ ...origin, tls: null }, probeLimits);
    try {
      await connection.write(formatRequestHead("HEAD", "/v2/", [["Host", hostAndPort(origin)]]));
      return (await readHead(connection)).status >= 200;
    } finally {
      connection.destroy();
    }
  } catch {
    return false;
  }
}
