// The driver of Azure Blob Storage passes the contract of stores of objects, against Azurite.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/lib/clock.ts";
import { ObjectStoreRefused } from "../../src/storage/objects/object_store.ts";
import { objectStoreContract } from "../contracts/object_store.ts";
import { sample } from "../contracts/store_samples.ts";
import { reasonOf } from "../reason_of.ts";
import { type Azurite, hasAzurite, startAzurite } from "./azurite.ts";
import { openStore } from "./open_store.ts";

describe.skipIf(!hasAzurite())("azurite", () => {
  let azurite: Azurite;
  let serial = 0;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(() => azurite[Symbol.asyncDispose]());

  const open = (given = {}, around = {}) =>
    openStore(
      {
        name: "azure",
        accountname: azurite.account,
        accountkey: azurite.key,
        container: azurite.container,
        serviceurl: azurite.url,
        cafile: azurite.caFile,
        rootdirectory: `/zot-tests/${serial}`,
        ...given,
      },
      around,
    );

  objectStoreContract(
    "azure",
    async () => {
      serial += 1;
      const { store } = open();
      return { store, [Symbol.asyncDispose]: () => store.close() };
    },
    () => Bun.file(azurite.caFile).text(),
  );

  for (const minutes of [20, -20]) {
    test(`a clock that is ${minutes} minutes off`, async () => {
      const clock = { ...systemClock, now: () => Date.now() + minutes * 60_000 };
      const { store, reported } = open({}, { clock });
      await store.put("skewed", sample(100));
      expect(await store.size("skewed")).toBe(100);
      expect(reported.length).toBe(1);
    });
  }

  test("a wrong key, and a container that is not there, are said in one line", async () => {
    const other = Buffer.from("another key, quite another one").toString("base64");
    for (const [given, says] of [
      [{ accountkey: other }, "expected a login that the store takes; change accountkey"],
      [{ container: "none" }, "404 (ContainerNotFound): expected a container that is there"],
    ] as const) {
      const error = await reasonOf(open(given).store.probe());
      expect(error).toBeInstanceOf(ObjectStoreRefused);
      expect(String(error)).toContain(says);
    }
  });

  describe("tokens", () => {
    /** As Entra makes them, without a signature, which is not looked at. */
    function token(audience = "https://storage.azure.com"): string {
      const nowS = Math.floor(Date.now() / 1000);
      const claims = {
        aud: audience,
        iss: "https://sts.windows.net/00000000-0000-0000-0000-000000000001/",
        nbf: nowS - 60,
        iat: nowS - 60,
        exp: nowS + 3600,
      };
      const part = (value: object): string =>
        Buffer.from(JSON.stringify(value)).toString("base64url");
      return `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
    }

    async function withService(
      work: (url: string, asked: string[]) => Promise<void>,
    ): Promise<void> {
      const asked: string[] = [];
      using server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        async fetch(request) {
          const { pathname, search } = new URL(request.url);
          asked.push(`${request.method} ${pathname}${search} ${await request.text()}`);
          return Response.json({ access_token: token(), expires_in: "3600" });
        },
      });
      await work(`http://127.0.0.1:${server.port}`, asked);
    }

    const use = async (credentials: object, env: Record<string, string>) => {
      const { store } = open({ accountkey: "", credentials }, { env });
      await store.put("by-token", sample(10));
      expect(await store.size("by-token")).toBe(10);
      expect(await store.sign("by-token", { seconds: 60, contentType: "a/b" })).toBeNull();
    };

    test("of a service principal in the configuration, and in the environment", async () => {
      await withService(async (url, asked) => {
        const principal = { tenantid: "tenant", clientid: "client", secret: "s3cret" };
        await use({ type: "client_secret", ...principal }, { AZURE_AUTHORITY_HOST: url });
        const env = {
          AZURE_TENANT_ID: "tenant",
          AZURE_CLIENT_ID: "client",
          AZURE_CLIENT_SECRET: "s3cret",
        };
        await use({ type: "default_credentials" }, { AZURE_AUTHORITY_HOST: `${url}/`, ...env });
        const wanted =
          "POST /tenant/oauth2/v2.0/token grant_type=client_credentials&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_id=client&client_secret=s3cret";
        expect(asked).toEqual([wanted, wanted]);
      });
    });

    test("of a workload, and of a machine", async () => {
      await withService(async (url, asked) => {
        const env = {
          AZURE_TENANT_ID: "tenant",
          AZURE_CLIENT_ID: "client",
          AZURE_FEDERATED_TOKEN_FILE: azurite.caFile,
        };
        await use({ type: "default_credentials" }, { AZURE_AUTHORITY_HOST: url, ...env });
        await use({ type: "default_credentials" }, { AZURE_POD_IDENTITY_AUTHORITY_HOST: url });
        await use(
          { type: "default_credentials" },
          { IDENTITY_ENDPOINT: `${url}/app`, IDENTITY_HEADER: "x" },
        );
        expect(asked.map((line) => line.slice(0, 76))).toEqual([
          expect.stringContaining("POST /tenant/oauth2/v2.0/token grant_type=client_credentials"),
          "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A",
          "GET /app?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com ",
        ]);
        expect(asked[0]).toContain("client_assertion=-----BEGIN");
      });
    });
  });
});
