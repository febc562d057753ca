// Names of connections: what the runtime and the kernel call one address is the same. That connections end is tested
// with real ones (`test/http/costs.test.ts`).

import { expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { peerKey } from "./drain_limit.ts";
import { peerSockets, receivedBytes, shutSocket } from "./listening_socket.ts";

test.each([
  ["192.0.2.7", "192.0.2.7 80"],
  ["::ffff:192.0.2.7", "192.0.2.7 80"],
  ["::FFFF:192.0.2.7", "192.0.2.7 80"],
  ["::1", "0:0:0:0:0:0:0:1 80"],
  ["fe80::1%eth0", "fe80:0:0:0:0:0:0:1 80"],
  ["2001:db8::00a:b", "2001:db8:0:0:0:0:a:b 80"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8 80"],
])("%s is %s", (address, name) => {
  expect(peerKey(address, 80)).toBe(name);
});

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::", "127.0.0.1"],
  ["::1", "::1"],
])("a connection to %s from %s is found by its other end, counted and ended", async (at, from) => {
  const server = createServer();
  server.listen(0, at);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const socket = connect({ host: from, port });
  const [accepted] = await once(server, "connection");
  const ended = once(accepted, "close");
  accepted.resume();
  const descriptor = peerSockets().get(peerKey(accepted.remoteAddress, accepted.remotePort));
  expect(descriptor).toBeNumber();
  await new Promise((resolve) => socket.write(new Uint8Array(1000), resolve));
  while (receivedBytes(descriptor!)! < 1000) await Bun.sleep(0);
  expect(receivedBytes(descriptor!)).toBe(1000);
  shutSocket(descriptor!);
  await ended;
  socket.destroy();
  server.close();
});
