// Options of mirroring: what cannot work is refused at the start in one line, what is unwise is warned of.

import { describe, expect, test } from "bun:test";
import { syncIssues, syncValues } from "../../../test/mirror/sync_values.ts";
import { checkSyncOptions, syncWarnings } from "./check_options.ts";

const entry = (keys: Record<string, unknown>) => ({
  registries: [{ urls: ["https://registry.example.com"], onDemand: true, ...keys }],
});
const oauth2 = { tokenURL: "https://idp.example.com/token", assertionFile: "/a" };

describe("what does not fit", () => {
  const rows: readonly (readonly [Record<string, unknown>, says: string])[] = [
    [{ registries: [{ urls: [] }] }, "a list of at least one URL"],
    [{ registries: [{ urls: ["registry.example.com"] }] }, "the URL of a registry"],
    [{ registries: [{ urls: ["https://u:p@registry.example.com"] }] }, "without user, password"],
    [{ registries: [{ urls: ["ftp://registry.example.com"] }] }, "the URL of a registry"],
    [{ mirrors: ["https://registry.example.com/path"] }, `a registry, such as "docker.io"`],
    [{ mirrors: ["a b"] }, `a registry, such as "docker.io"`],
    [entry({ content: [{ prefix: "a[" }] }), "a glob of names"],
    [entry({ content: [{ prefix: "/" }] }), "a glob of names"],
    [entry({ content: [{ prefix: "a", tags: { regex: "(" } }] }), "a regular expression of RE2"],
    [entry({ content: [{ prefix: "a", tags: { excludeRegex: "(" } }] }), "a regular expression"],
    [entry({ reqConcurrent: 0 }), "a whole number from 1 to 1000"],
    [entry({ reqPerSec: -1 }), "a number of at least 0"],
    [entry({ platforms: ["linux"] }), "a list of platforms"],
    [entry({ proxy: "proxy:3128" }), "the URL of a proxy"],
    [entry({ allowRedirectHosts: ["https://x"] }), "a list of globs of host names"],
    [entry({ listTags: "both" }), "one of local, merge"],
    [entry({ retryDelay: "5" }), "a duration"],
  ];
  test.each([...rows])("%j", (section, says) => {
    expect(syncIssues(section).join("\n")).toContain(says);
  });
});

describe("what does not fit together", () => {
  const at = "extensions.sync.registries[0].";
  const rows: readonly (readonly [Record<string, unknown>, line: string])[] = [
    [{ maxRetries: 3 }, "retryDelay: expected a duration beside maxRetries, got none"],
    [
      { maxRetries: 3, retryDelay: "1m", maxRetryDelay: "1s" },
      "maxRetryDelay: expected at least retryDelay, got less",
    ],
    [
      { onDemand: false, manifestCheckInterval: "1m" },
      "manifestCheckInterval: expected onDemand beside it, since it is about pulls; got false",
    ],
    [
      { content: [{ prefix: "a/b", destination: "/", stripPrefix: true }] },
      "content[0]: expected a destination or a glob beside stripPrefix, got neither: names would be empty",
    ],
    [
      { credentials: { username: "u" } },
      "credentials: expected password or passwordFile, got neither",
    ],
    [
      { credentials: { username: "u", password: "p" }, credentialHelper: "ecr" },
      "credentialHelper: expected it or credentials, got both; remove one",
    ],
    [
      { oauth2CredentialHelper: oauth2 },
      'oauth2CredentialHelper: expected credentialHelper "oauth2" beside it',
    ],
    [
      { credentialHelper: "oauth2" },
      "oauth2CredentialHelper: expected a section with tokenURL, got none",
    ],
    [
      { credentialHelper: "oauth2", oauth2CredentialHelper: { ...oauth2, tokenURL: "" } },
      'oauth2CredentialHelper.tokenURL: expected the URL of a token endpoint, got ""',
    ],
    [
      { credentialHelper: "oauth2", oauth2CredentialHelper: { ...oauth2, signingFile: "/s" } },
      "oauth2CredentialHelper: expected assertionFile or signingFile, got both",
    ],
    [
      { credentialHelper: "oauth2", oauth2CredentialHelper: { ...oauth2, audience: "a" } },
      "oauth2CredentialHelper: expected audience, subjectTokenType and requestedTokenType with the grantType urn:ietf:params:oauth:grant-type:token-exchange alone",
    ],
  ];
  test.each([...rows])("%j", (keys, line) => {
    expect(checkSyncOptions(syncValues(entry(keys)))).toEqual([at + line]);
  });

  test("the shorthand names each registry once, and its folder is its own", () => {
    expect(checkSyncOptions(syncValues({ mirrors: ["docker.io", "index.docker.io"] }))).toEqual([
      "extensions.sync.mirrors[1]: expected each registry once, got docker.io again",
    ]);
    const taken = {
      ...entry({ content: [{ prefix: "**", destination: "/ghcr.io" }] }),
      mirrors: ["ghcr.io"],
    };
    expect(checkSyncOptions(syncValues(taken))).toEqual([
      "extensions.sync.registries[0].content: expected a destination of its own, got that of the mirror of ghcr.io",
    ]);
  });

  test("repositories of one upstream are not copied over each other", () => {
    const content = [
      { prefix: "/one/**", destination: "/all", stripPrefix: true },
      { prefix: "two/**", destination: "all", stripPrefix: true },
    ];
    const copied = syncValues(entry({ pollInterval: "1h", content }));
    expect(checkSyncOptions(copied)).toEqual([
      "extensions.sync.registries[0].content[1]: expected a destination of its own, got the names of registries[0].content[0]",
    ]);
    const pulled = syncValues(entry({ content }));
    expect(checkSyncOptions(pulled)).toEqual([]);
    expect(syncWarnings(pulled, [])).toEqual([
      "extensions.sync.registries[0].content[1]: no pull gets what it names, since registries[0].content[0] gives other repositories the same names",
    ]);
    const apart = content.map((rule, at) => ({ ...rule, destination: `/all/${at}` }));
    expect(checkSyncOptions(syncValues(entry({ pollInterval: "1h", content: apart })))).toEqual([]);
    const tags = [{ prefix: "app", tags: { regex: "^1" } }, { prefix: "app" }];
    expect(checkSyncOptions(syncValues(entry({ pollInterval: "1h", content: tags })))).toEqual([]);
  });

  test("two upstreams of the same names are told of", () => {
    const sync = syncValues({
      registries: ["one.example", "two.example"].map((host) => ({
        urls: [`https://${host}`],
        onDemand: true,
        content: [{ prefix: "**" }],
      })),
    });
    expect(checkSyncOptions(sync)).toEqual([]);
    expect(syncWarnings(sync, [])).toEqual([
      "extensions.sync.registries[1].content[0]: has the names of registries[0].content[0]: a repository is of the upstream that is first to have it; give each a destination",
    ]);
  });

  test("all of it is passed over while mirroring is off", () => {
    expect(checkSyncOptions(syncValues({ ...entry({ maxRetries: 3 }), enable: false }))).toEqual(
      [],
    );
  });
});

describe("warnings", () => {
  const rows: readonly (readonly [Record<string, unknown>, ...lines: string[]])[] = [
    [{ onDemand: false }, ": has neither onDemand nor pollInterval, so nothing of it is mirrored"],
    [
      { onDemand: false, pollInterval: "1h" },
      ": has neither onDemand nor content, so nothing of it is mirrored",
    ],
    [
      { pollInterval: "1h" },
      ".pollInterval: has no effect without content, which says what to copy",
    ],
    [{ preserveDigest: false }, ".preserveDigest: has no effect: manifests are kept as they are"],
    [
      { disableHTTP2: false },
      ".disableHTTP2: has no effect: upstreams are always asked in HTTP/1.1",
    ],
    [
      { tlsVerify: false },
      ".tlsVerify: anybody on the way can answer in the name of this upstream",
    ],
    [
      { platforms: ["linux/amd64"] },
      ".platforms: has no effect without pollInterval: of an index those come that are pulled",
      ": zot (Go) does not know platforms",
    ],
    [{ allowPush: false, proxy: "none" }, ": zot (Go) does not know allowPush, proxy"],
    [
      { content: [{ prefix: "**", destination: "/kept" }] },
      ".content: storage.retention may remove what is mirrored as kept, and it comes back",
    ],
  ];
  test.each([...rows])("%j", (keys, ...lines) => {
    const warnings = syncWarnings(syncValues(entry(keys)), ["kept/**"]);
    expect(warnings).toEqual(lines.map((line) => `extensions.sync.registries[0]${line}`));
  });

  test("of the section as a whole", () => {
    expect(syncWarnings(syncValues({ downloadDir: "/tmp/x" }), [])).toEqual([
      "extensions.sync: names no registry, so nothing is mirrored",
      "extensions.sync.downloadDir: has no effect: what is mirrored is written where it stays",
    ]);
    expect(syncWarnings(syncValues({ mirrors: ["docker.io"] }), [])).toEqual([]);
    expect(
      syncWarnings(syncValues(entry({ disableHTTP2: true, preserveDigest: true })), []),
    ).toEqual([]);
  });
});
