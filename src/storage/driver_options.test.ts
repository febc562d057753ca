// The keys of `storage.storageDriver`: what zot's files may hold, what is refused, and what is said of both.

import { describe, expect, test } from "bun:test";
import { driverWarnings, storageDriver } from "./driver_options.ts";

const least = { name: "s3", region: "eu-central-1", bucket: "images" };

/** Key and end of the sentence "expected …" of each problem. */
function problemsOf(values: object): string[] {
  const read = storageDriver.safeParse({ ...least, ...values });
  return read.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

describe("what is taken", () => {
  test("zot's own example", () => {
    const read = storageDriver.parse({
      name: "s3",
      rootdirectory: "/zot",
      region: "us-east-2",
      bucket: "zot-storage",
      forcepathstyle: true,
      secure: true,
      skipverify: false,
      accesskey: "<YOUR_ACCESS_KEY_ID>",
      secretkey: "<YOUR_SECRET_ACCESS_KEY>",
    });
    expect(read).toMatchObject({
      name: "s3",
      region: "us-east-2",
      accesskey: "<YOUR_ACCESS_KEY_ID>",
    });
    expect(driverWarnings(read)).toEqual([]);
  });

  test("defaults: AWS by https, path style, keys from elsewhere", () => {
    expect(storageDriver.parse(least)).toMatchObject({
      regionendpoint: null,
      accesskey: null,
      secretkey: null,
      secure: true,
      skipverify: false,
      forcepathstyle: true,
      storageclass: null,
      encrypt: false,
    });
  });

  test("an endpoint needs no region", () => {
    const values = { ...least, region: "", regionendpoint: "s3.example.com" };
    expect(storageDriver.parse(values)).toMatchObject({ region: "us-east-1" });
  });

  test("what changes nothing here is taken, and told by name", () => {
    const read = storageDriver.parse({
      ...least,
      multipartcopychunksize: 33554432,
      loglevel: "debug",
    });
    expect(driverWarnings(read)).toEqual([
      "multipartcopychunksize has no effect: nothing is copied within the store",
      "loglevel has no effect: requests to the store are not logged one by one",
    ]);
  });
});

describe("other stores", () => {
  const gcs = { name: "gcs", bucket: "images" };
  const azure = {
    name: "azure",
    accountname: "registry",
    container: "images",
    accountkey: "a2V5IGtleSBrZXkga2V5",
  };
  const login = { type: "client_secret", tenantid: "t", clientid: "c", secret: "s" };

  test("zot's own examples", () => {
    const forGcs = {
      ...gcs,
      rootdirectory: "/zot",
      credentialsFile: "/path/to/gcs-credentials.json",
    };
    expect(storageDriver.parse(forGcs)).toMatchObject({ keyfile: "/path/to/gcs-credentials.json" });
    const forAzure = {
      name: "azure",
      rootdirectory: "/zot",
      accountname: "myazurestorageaccount",
      container: "zot-storage",
      credentials: { type: "default_credentials" },
    };
    expect(storageDriver.parse(forAzure)).toMatchObject({
      credentials: { type: "default_credentials", secret: null },
    });
  });

  test("what changes nothing is told by name", () => {
    expect(driverWarnings(storageDriver.parse({ ...gcs, maxconcurrency: 10 }))).toEqual([
      "maxconcurrency has no effect: how many requests run at once is one limit for all stores",
    ]);
    expect(driverWarnings(storageDriver.parse({ ...azure, max_retries: 5 }))).toEqual([
      "max_retries has no effect: requests are tried again by rules of this server's own",
    ]);
  });

  for (const [says, values, expected] of [
    [
      "two files for one thing",
      { ...gcs, credentialsFile: "/a", keyfile: "/b" },
      "keyfile: credentialsFile or keyfile, which are one thing",
    ],
    [
      "a plain endpoint",
      { ...gcs, endpoint: "http://gcs:1" },
      `endpoint: an endpoint with https, or "secure: false" beside it`,
    ],
    [
      "no account key",
      { ...azure, accountkey: "" },
      "accountkey: an account key in base64 where credentials ask for no other login",
    ],
    [
      "an account key that is none",
      { ...azure, accountkey: "cGFzcw==" },
      "accountkey: an account key in base64 where credentials ask for no other login",
    ],
    [
      "half of a login",
      { ...azure, credentials: { ...login, secret: "" } },
      "credentials: tenantid, clientid and secret for the type client_secret",
    ],
    [
      "another kind of login",
      { ...azure, credentials: { type: "cli" } },
      "credentials.type: one of shared_key, client_secret, default_credentials",
    ],
    [
      "a plain serviceurl",
      { ...azure, serviceurl: "http://127.0.0.1:1/a" },
      `serviceurl: a URL with https, or "secure: false" beside it`,
    ],
    [
      "a realm beside a URL",
      { ...azure, serviceurl: "https://a/b", realm: "core.windows.net" },
      "realm: realm or serviceurl, which names the host already",
    ],
    [
      "an account that cannot be",
      { ...azure, accountname: "My-Account" },
      `accountname: the name of a storage account, such as "myaccount"`,
    ],
    [
      "a container that cannot be",
      { ...azure, container: "a--b" },
      `container: the name of a container, such as "images"`,
    ],
    [
      "a key of another driver",
      { ...gcs, region: "eu" },
      ": a section with keys, such as {name: s3, region: eu-central-1, bucket: images}",
    ],
  ] as const) {
    test(`${says} is refused`, () => {
      const read = storageDriver.safeParse(values);
      const problems = read.error?.issues.map(
        ({ path, message }) => `${path.join(".")}: ${message}`,
      );
      expect(problems).toEqual([expected]);
    });
  }
});

describe("what is refused", () => {
  for (const [says, values, expected] of [
    [
      "another driver",
      { name: "swift" },
      "name: a name of a driver that is served: s3, gcs or azure",
    ],
    [
      "no region and no endpoint",
      { region: "" },
      `region: a region, such as "eu-central-1", where there is no regionendpoint`,
    ],
    [
      "half of the keys",
      { accesskey: "a" },
      "secretkey: one beside accesskey, or none of both where the machine has keys of its own",
    ],
    [
      "the other half",
      { secretkey: "a" },
      "accesskey: one beside secretkey, or none of both where the machine has keys of its own",
    ],
    [
      "a session token alone",
      { sessiontoken: "t" },
      "sessiontoken: no session token without accesskey",
    ],
    [
      "a plain endpoint",
      { regionendpoint: "http://minio:9000" },
      `regionendpoint: an endpoint with https, or "secure: false" beside it`,
    ],
    [
      "dots in a host name",
      { bucket: "a.b", forcepathstyle: false },
      "bucket: a bucket without dots where forcepathstyle is false, since no certificate fits its host",
    ],
    ["a key for no encryption", { keyid: "k" }, `keyid: "encrypt: true" beside it`],
    [
      "authorities that nobody asks",
      { cafile: "/a", skipverify: true },
      `cafile: no authorities where "skipverify: true" asks for none`,
    ],
    [
      "version 2 of signatures",
      { v4auth: false },
      "v4auth: true: requests are signed with version 4 alone",
    ],
    [
      "acceleration",
      { accelerate: true },
      "accelerate: false: transfer acceleration is not served by this version yet",
    ],
    [
      "objects for everybody",
      { objectacl: "public-read" },
      "objectacl: one of private, bucket-owner-read, bucket-owner-full-control",
    ],
    [
      "parts below what S3 takes",
      { chunksize: 1000 },
      `chunksize: a number of bytes of at least 5242880 and at most 1 GiB, or a size such as "4MiB"`,
    ],
    [
      "a prefix that leads out",
      { rootdirectory: "/a/../b" },
      `rootdirectory: a prefix of keys, such as "/zot"`,
    ],
    [
      "a password in an endpoint",
      { regionendpoint: "https://a:b@s3" },
      `regionendpoint: a host or a URL of a store, such as "https://s3.example.com" or "localhost:9000"`,
    ],
    [
      "a slip in a key",
      { buckets: "a" },
      ": a section with keys, such as {name: s3, region: eu-central-1, bucket: images}",
    ],
  ] as const) {
    test(says, () => {
      expect(problemsOf(values)).toEqual([expected]);
    });
  }
});
