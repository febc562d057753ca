// A program that is told of every push, tag move and delete, in order. With a directory in place of memory it is told
// after a crash, too, of what came meanwhile; the last ones may come twice.
//
//     bun add zot-registry
//     bun test follow.test.ts

import { expect, test } from "bun:test";
import { createRegistry, type Extension } from "zot-registry";

const told = Promise.withResolvers<string>();

const pushes: Extension = {
  name: "pushes",
  // Stands in the database, and never changes.
  followerNames: ["pushes"],
  openPrimary: () => ({
    follows: () => [
      {
        name: "pushes",
        from: "start",
        // What it throws is logged, and the same records come again after a pause.
        take: async (records) => {
          for (const { repository, tag, digest } of records) {
            if (digest !== null) told.resolve(`${repository}:${tag} is ${digest}`);
          }
        },
      },
    ],
  }),
};

test("a push is told", async () => {
  await using registry = await createRegistry({ memory: true, extensions: [pushes] });

  // In place of this: the clients of your registry.
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
  const headers = { "content-type": mediaType };
  const target = "http://registry.example/v2/team/app/manifests/v1";
  const pushed = await registry.fetch(new Request(target, { method: "PUT", headers, body }));
  expect(pushed.status).toBe(201);

  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
  expect(await told.promise).toBe(`team/app:v1 is ${digest}`);
});
