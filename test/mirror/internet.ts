// Registries of the internet on this machine: a proxy that leads `https://docker.io` and others to servers of the test.
//
// Programs are told of it by the environment (`HTTPS_PROXY`, the authority to trust), as in many a company, so that their
// settings are those of the real world. A registry can be switched off and on. The connection to it is TLS with a
// certificate for its name; behind that the bytes go to the test's server as they are.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { TestAuthority } from "../certificates.ts";
import { tempDirectory } from "../temp.ts";

export interface Internet extends AsyncDisposable {
  /** For programs that shall see it. */
  readonly env: Readonly<Record<string, string>>;
  /** The authority that its registries' certificates are of. */
  readonly ca: string;
  /** Connections that were asked for, by the name of the registry. */
  readonly asked: readonly string[];
  /** Cuts a registry off, or brings it back. */
  switch(host: string, isOn: boolean): void;
}

/** `places` are ports of this machine by the names of registries. */
export async function startInternet(places: Readonly<Record<string, number>>): Promise<Internet> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await tempDirectory("zot-internet"));
  const authority = await TestAuthority.make(directory.path);
  const { cert, key } = await authority.issue("internet", {
    names: Object.keys(places).map((host) => `DNS:${host}`),
    usage: "serverAuth",
  });
  const [certText, keyText] = [await Bun.file(cert).text(), await Bun.file(key).text()];
  const sockets = new Set<Socket>();
  const off = new Set<string>();
  const asked: string[] = [];
  const ends = new Map<string, Server>();
  const join = (one: Socket, other: Socket): void => {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  };
  for (const [host, port] of Object.entries(places)) {
    const end = createTlsServer({ cert: certText, key: keyText }, (socket) => {
      join(socket, connect(port, "127.0.0.1"));
    });
    end.on("tlsClientError", () => {});
    ends.set(host, end);
  }
  const proxy = createServer((socket) => {
    socket.on("error", () => {});
    let head = "";
    const read = (data: Buffer): void => {
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", read);
      const [, host = ""] = /^CONNECT ([^:\s]+):443 /.exec(head) ?? [];
      asked.push(host);
      const end = ends.get(host);
      if (end === undefined || off.has(host)) {
        socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const { port } = end.address() as AddressInfo;
      const there = connect(port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        join(socket, there);
      });
    };
    socket.on("data", read);
  });
  for (const server of [proxy, ...ends.values()]) {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    stack.defer(() => new Promise<void>((done) => void server.close(() => done())));
  }
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
  });
  const at = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const owned = stack.move();
  return {
    env: {
      HTTPS_PROXY: at,
      https_proxy: at,
      NO_PROXY: "127.0.0.1,localhost",
      no_proxy: "127.0.0.1,localhost",
      SSL_CERT_FILE: authority.cert,
      NODE_EXTRA_CA_CERTS: authority.cert,
    },
    ca: authority.cert,
    asked,
    switch: (host, isOn) => void (isOn ? off.delete(host) : off.add(host)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
