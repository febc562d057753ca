// Who may read the metrics page: whom `accessControl.metrics` names, admins who may read, or everybody.

import { describe, expect, test } from "bun:test";
import { jsonOf, startAuthWorld, type User } from "./world.ts";

const extensions = { metrics: {} };
const adminPolicy = { users: ["admin"], actions: ["read"] };
const page = "/metrics";

const settings: [says: string, accessControl: object | null, who: readonly (User | null)[]][] = [
  ["without access control, every user", null, ["nobody", "readerB", "admin"]],
  ["without a word of it, admins", { adminPolicy }, ["admin"]],
  [
    "named users and admins",
    { adminPolicy, metrics: { users: ["readerB"] } },
    ["readerB", "admin"],
  ],
  [
    "everybody",
    { metrics: { anonymousPolicy: ["read"] } },
    [null, "nobody", "readerA", "readerB", "admin"],
  ],
];

describe("the metrics page is for", () => {
  for (const [says, accessControl, who] of settings) {
    test(says, async () => {
      await using world = await startAuthWorld({ accessControl, extensions });
      for (const user of [null, "nobody", "readerB", "admin"] as const) {
        const answer = await world.as(user, "GET", page);
        const expected = who.includes(user) ? 200 : user === null ? 401 : 403;
        expect({ user, status: answer.status }).toEqual({ user, status: expected });
      }
    });
  }

  test("nobody's token or key", async () => {
    await using world = await startAuthWorld({
      accessControl: { adminPolicy },
      extensions,
      auth: { apikey: true },
      http: { externalUrl: "https://registry.example.com" },
    });
    const token = String(jsonOf(await world.as("admin", "GET", "/zot/auth/token"))["token"]);
    const headers = { authorization: `Bearer ${token}` };
    expect((await world.send("GET", page, { headers })).status).toBe(403);
  });
});
