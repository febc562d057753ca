// Client certificates: which attribute names the user, and what names nobody.

import { expect, test } from "bun:test";
import { certificateIdentity, type CertificateNames } from "./client_certificate.ts";

const options = {
  identityAttributes: ["CommonName"],
  uriSanPattern: null,
  uriSanIndex: 0,
  dnsSanIndex: 0,
  emailSanIndex: 0,
};
const names: CertificateNames = {
  subject: [
    { type: "C", value: "DE" },
    { type: "O", value: "Example, Inc." },
    { type: "CN", value: "alice" },
  ],
  san: [
    { kind: "dns", value: "one.example.com" },
    { kind: "uri", value: "spiffe://example.com/workload/builder" },
    { kind: "email", value: "alice@example.com" },
    { kind: "dns", value: "two.example.com" },
    { kind: "uri", value: "urn:other" },
  ],
};
const pattern = "spiffe://example.com/workload/(.*)";

test.each([
  [{}, "alice"],
  [{ identityAttributes: [] }, "alice"],
  [{ identityAttributes: ["CN"] }, "alice"],
  [{ identityAttributes: ["cn"] }, "alice"],
  [{ identityAttributes: ["Subject"] }, "CN=alice,O=Example\\, Inc.,C=DE"],
  [{ identityAttributes: ["DN"] }, "CN=alice,O=Example\\, Inc.,C=DE"],
  [{ identityAttributes: ["Email"] }, "alice@example.com"],
  [{ identityAttributes: ["rfc822name"] }, "alice@example.com"],
  [{ identityAttributes: ["URI"] }, "spiffe://example.com/workload/builder"],
  [{ identityAttributes: ["URL"], uriSanIndex: 1 }, "urn:other"],
  [{ identityAttributes: ["URI"], uriSanPattern: pattern }, "builder"],
  [
    { identityAttributes: ["URI"], uriSanPattern: "spiffe://.*" },
    "spiffe://example.com/workload/builder",
  ],
  [{ identityAttributes: ["DNSName"] }, "one.example.com"],
  [{ identityAttributes: ["DNS"], dnsSanIndex: 1 }, "two.example.com"],
  // The first that is there counts.
  [{ identityAttributes: ["URI", "CommonName"], uriSanPattern: "nothing" }, "alice"],
  [{ identityAttributes: ["Email", "CN"], emailSanIndex: 1 }, "alice"],
  // What is not there, or does not fit, names nobody.
  [{ identityAttributes: ["URI"], uriSanPattern: "example.com" }, null],
  [{ identityAttributes: ["URI"], uriSanPattern: "spiffe://example.com/workload/(x?).*" }, null],
  [{ identityAttributes: ["DNS"], dnsSanIndex: 2 }, null],
])("%j is %p", (given, name) => {
  const identity = certificateIdentity(names, { ...options, ...given });
  expect(identity?.name ?? null).toBe(name);
  if (identity !== null) {
    expect(identity).toMatchObject({ groups: [], provenBy: "certificate", scope: null });
  }
});

test.each(["", "a\nb", "a\0b", "x".repeat(300)])("the common name %j names nobody", (value) => {
  const subject = [{ type: "CN", value }];
  expect(certificateIdentity({ subject, san: [] }, options)).toBeNull();
});

test("of several common names the most specific counts", () => {
  const subject = ["people", "alice"].map((value) => ({ type: "CN", value }));
  expect(certificateIdentity({ subject, san: [] }, options)?.name).toBe("alice");
});
