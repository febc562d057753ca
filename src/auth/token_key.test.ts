// The key of tokens: made once however many start at a time, replaced without ending what is about, refused when open.

import { expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { reasonOf } from "../../test/reason_of.ts";
import { tempDirectory } from "../../test/temp.ts";
import { PolicyCaller } from "./caller.ts";
import { manualClock } from "../lib/clock.ts";
import { openTokenKeys } from "./token_key.ts";
import { TokenRefused, TokenService } from "./token_service.ts";

const alice = new PolicyCaller(
  { name: "alice", groups: ["dev", "other"], provenBy: "htpasswd", scope: null },
  null,
  null,
);

async function serviceOf(path: string, clock = manualClock(1_800_000_000_000)) {
  return new TokenService({
    keys: await openTokenKeys({ path }),
    issuer: "https://registry.example.com",
    service: "registry.example.com",
    lifetimeMs: 300_000,
    namedGroups: new Set(["dev"]),
    clock,
  });
}

test("many who start at once agree on one key, for the owner alone to read", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "_zot", "token_key.json");
  const opened = await Promise.all(Array.from({ length: 12 }, () => openTokenKeys({ path })));
  expect(new Set(opened.map(({ signing }) => signing.kid)).size).toBe(1);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await openTokenKeys({ path })).signing.kid).toBe(opened[0]?.signing.kid ?? "");
});

test("a key put in front signs, and the one behind still verifies", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "token_key.json");
  const old = await serviceOf(path);
  const { token } = await old.issue(alice, [{ type: "repository", name: "a", actions: ["pull"] }]);
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const fresh = { ...(await exportJWK(privateKey)), kid: "fresh" };
  const { keys } = JSON.parse(readFileSync(path, "utf8")) as { keys: object[] };
  writeFileSync(path, JSON.stringify({ keys: [fresh, ...keys] }));
  const both = await serviceOf(path);
  expect((await both.verify(token)).identity.name).toBe("alice");
  const { token: next } = await both.issue(alice, []);
  expect((await both.verify(next)).identity.name).toBe("alice");
  expect(await reasonOf(old.verify(next))).toBeInstanceOf(TokenRefused);
  writeFileSync(path, JSON.stringify({ keys: [fresh] }));
  expect(await reasonOf((await serviceOf(path)).verify(token))).toBeInstanceOf(TokenRefused);
});

test("a token names the groups that a policy does, and ends to the second", async () => {
  await using directory = await tempDirectory();
  const clock = manualClock(1_800_000_000_000);
  const service = await serviceOf(join(directory.path, "token_key.json"), clock);
  const { token } = await service.issue(alice, []);
  const { identity, expiresAt } = await service.verify(token);
  expect(identity).toMatchObject({ name: "alice", groups: ["dev"], provenBy: "token" });
  expect(expiresAt).toBe(1_800_000_300_000);
  await clock.advance(299_000);
  await service.verify(token);
  await clock.advance(1_000);
  expect(await reasonOf(service.verify(token))).toBeInstanceOf(TokenRefused);
});

test("a file that others can read, or that holds no key, stops the start", async () => {
  await using directory = await tempDirectory();
  const path = join(directory.path, "token_key.json");
  await openTokenKeys({ path });
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    chmodSync(path, mode);
    expect(String(await reasonOf(openTokenKeys({ path })))).toContain("only its owner can read");
  }
  chmodSync(path, 0o600);
  for (const text of ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}']) {
    writeFileSync(path, text);
    expect(String(await reasonOf(openTokenKeys({ path })))).toContain(
      "expected a JSON Web Key Set",
    );
  }
});
