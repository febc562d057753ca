// Addresses of buckets and objects, at AWS and elsewhere.

import { expect, test } from "bun:test";
import { type S3Values, storageDriver } from "../../driver_options.ts";
import { S3Place } from "./s3_place.ts";

const least = { name: "s3", region: "eu-central-1", bucket: "images" };

const parsed = (values = {}) => storageDriver.parse({ ...least, ...values }) as S3Values;

for (const [says, values, address] of [
  ["path style", {}, "https://s3.eu-central-1.amazonaws.com/images/a/b"],
  ["virtual hosts", { forcepathstyle: false }, "https://images.s3.eu-central-1.amazonaws.com/a/b"],
  ["China", { region: "cn-north-1" }, "https://s3.cn-north-1.amazonaws.com.cn/images/a/b"],
  [
    "FIPS and IPv6",
    { usefipsendpoint: true, usedualstack: true },
    "https://s3-fips.dualstack.eu-central-1.amazonaws.com/images/a/b",
  ],
  ["an endpoint", { regionendpoint: "localhost:9000" }, "https://localhost:9000/images/a/b"],
  [
    "a plain one",
    { regionendpoint: "localhost:9000", secure: false },
    "http://localhost:9000/images/a/b",
  ],
  ["one with a path", { regionendpoint: "https://store/s3/" }, "https://store/s3/images/a/b"],
  [
    "a prefix",
    { rootdirectory: "/zot/one/" },
    "https://s3.eu-central-1.amazonaws.com/images/zot/one/a/b",
  ],
] as const) {
  test(says, () => {
    const read = parsed(values);
    const place = new S3Place(read);
    expect(place.url(place.endpoint(read.region), "a/b")).toBe(address);
  });
}

test("the bucket itself", () => {
  const place = new S3Place(parsed());
  const hosts = new S3Place(parsed({ forcepathstyle: false }));
  expect(place.url("https://s3", null)).toBe("https://s3/images");
  expect(hosts.url("https://s3", null)).toBe("https://images.s3/");
});
