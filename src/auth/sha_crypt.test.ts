// SHA crypt: agreement with published and machine-made hashes, and what is no hash.

import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { requireTool, run } from "../../test/processes.ts";
import { parseShaCrypt, shaCrypt, verifyShaCrypt } from "./sha_crypt.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

// Made by OpenSSL's `passwd` and glibc's crypt(3).
const known: [password: string, hash: string][] = [
  ["Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"],
  ["Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"],
  [
    "Hello world!",
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
  ],
];

describe("known hashes", () => {
  test.each(known)("%p has %p", async (password, hash) => {
    const parsed = parseShaCrypt(hash)!;
    expect(await verifyShaCrypt(bytes(password), parsed)).toBe(true);
    expect(await verifyShaCrypt(bytes(`${password} `), parsed)).toBe(false);
    expect(await verifyShaCrypt(bytes(""), parsed)).toBe(false);
  });
});

const openssl = requireTool("openssl");

test.skipIf(!openssl)("agrees with OpenSSL on passwords and salts of every kind", async () => {
  const saltUnit = fc.constantFrom(".", "/", "0", "9", "A", "Z", "a", "z");
  const salts = fc.string({ unit: saltUnit, minLength: 1, maxLength: 16 });
  // OpenSSL's command line takes no NUL, no line ends, no empty one, and up to 255 bytes.
  const passwords = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
    .filter((text) => /^[^\0\r\n]*$/.test(text) && bytes(text).length < 256);
  const variants = fc.constantFrom("5", "6");
  await fc.assert(
    fc.asyncProperty(passwords, salts, variants, async (password, salt, variant) => {
      const made = await run("openssl", ["passwd", `-${variant}`, "-salt", salt, "-stdin"], {
        stdin: `${password}\n`,
      });
      const parsed = parseShaCrypt(made.stdout.trim())!;
      expect(parsed).toMatchObject({ variant, salt, rounds: 5000 });
      expect((await shaCrypt(bytes(password), parsed)).toString()).toBe(parsed.encoded);
    }),
    { numRuns: 40 },
  );
});

test.each([
  "",
  "$5$",
  "$5$salt$",
  "$5$salt$short",
  "$4$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
  "$5$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5a",
  "$6$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
  "$5$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWE!5",
  "$5$rounds=9999999999$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
  "$5$rounds=x$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
])("%p is no hash", (text) => {
  expect(parseShaCrypt(text)).toBeNull();
});

test("rounds below a thousand count as a thousand", () => {
  const hash = "$5$rounds=10$salt$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
  expect(parseShaCrypt(hash)?.rounds).toBe(1000);
});

test("other work goes on in between", async () => {
  let breaths = 0;
  const count = () => {
    breaths += 1;
    if (breaths < 1000) setImmediate(count);
  };
  setImmediate(count);
  await shaCrypt(bytes("password"), { variant: "6", rounds: 50_000, salt: "salt" });
  expect(breaths).toBeGreaterThan(50);
});
