// What entries of `storage.subPaths` are refused for, and warned of, each in one line.

import { describe, expect, test } from "bun:test";
import { checkConfig } from "../../config/load.ts";

function problemsOf(subPaths: object, storage: object = {}): readonly string[] {
  const checked = checkConfig(
    { storage: { rootDirectory: "/data/main", ...storage, subPaths } },
    {},
  );
  return "problems" in checked ? checked.problems : [];
}

function warningsOf(entry: object): readonly string[] {
  const subPaths = { "/team": { rootDirectory: "/data/team", ...entry } };
  const checked = checkConfig({ storage: { rootDirectory: "/data/main", subPaths } }, {});
  if ("problems" in checked) throw new Error(checked.problems.join("\n"));
  return checked.warnings.filter((line) => line.startsWith("storage.subPaths"));
}

const at = (rootDirectory: string, more: object = {}): object => ({ rootDirectory, ...more });
const place = 'storage.subPaths["/team"]';

const refused: readonly (readonly [says: string, subPaths: object, problems: string[]])[] = [
  ...["team", "/team/app", "/", "//team", "/Team", "/te am", "team/"].map(
    (key): [string, object, string[]] => [
      `the key ${key}`,
      { [key]: at("/data/team") },
      [
        `storage.subPaths[${JSON.stringify(key)}]: expected the first component of names behind a slash, ` +
          `such as "/team", got ${JSON.stringify(key)}`,
      ],
    ],
  ),
  [
    "the directory of the main store",
    { "/team": at("/data/x/../main/") },
    [
      `${place}.rootDirectory: expected a directory of its own, got /data/main, ` +
        "which is storage.rootDirectory as well",
    ],
  ],
  [
    "one directory for two",
    { "/team": at("/data/x"), "/web": at("/data/x") },
    [
      'storage.subPaths["/web"].rootDirectory: expected a directory of its own, got /data/x, ' +
        `which is ${place}.rootDirectory as well`,
    ],
  ],
  [
    "a directory in the main one",
    { "/team": at("/data/main/team") },
    [
      `${place}.rootDirectory: expected a directory beside that of storage.rootDirectory, got /data/main/team; ` +
        "/data/main/team lies in /data/main",
    ],
  ],
  [
    "a directory that the main one lies in",
    { "/team": at("/data") },
    [
      `${place}.rootDirectory: expected a directory beside that of storage.rootDirectory, got /data; ` +
        "/data/main lies in /data",
    ],
  ],
  [
    "a directory in that of another entry",
    { "/team": at("/data/x"), "/web": at("/data/x/y") },
    [
      `storage.subPaths["/web"].rootDirectory: expected a directory beside that of ${place}.rootDirectory, ` +
        "got /data/x/y; /data/x/y lies in /data/x",
    ],
  ],
  ["no directory", { "/team": {} }, [`${place}.rootDirectory: expected a path, got missing`]],
  [
    "an empty directory",
    { "/team": at("") },
    [`${place}.rootDirectory: expected the path of a directory of its own, got ""`],
  ],
  [
    "collection without a delay",
    { "/team": at("/data/team", { gc: true, gcDelay: "0s" }) },
    [
      `${place}.gcDelay: expected more than 0s while gc is true there, got 0s; ` +
        "blobs of a push would be removed before its manifest comes",
    ],
  ],
  [
    "a key that is mistyped",
    { "/team": at("/data/team", { gcDelai: "1h" }) },
    [`${place}.gcDelai: expected a key of ${place}, got "gcDelai"; did you mean gcDelay?`],
  ],
  [
    "what stands at the top alone",
    { "/team": at("/data/team", { fastRestart: true, maxRepos: 5 }) },
    [
      `${place}.fastRestart: expected it as storage.fastRestart, which is about all stores, got true`,
      `${place}.maxRepos: expected it as storage.maxRepos, which is about all stores, got 5`,
    ],
  ],
];

describe("refused", () => {
  test.each(refused)("%s", (_, subPaths, problems) => {
    expect(problemsOf(subPaths)).toEqual(problems);
  });

  const s3 = (more: object = {}) => ({
    name: "s3",
    region: "eu-central-1",
    bucket: "images",
    ...more,
  });
  const inS3 = (more: object = {}) => at("/data/team", { storageDriver: s3(more) });

  test.each<[string, object, object]>([
    ["the whole of its bucket", s3(), inS3()],
    ["its prefix", s3({ rootdirectory: "/zot" }), inS3({ rootdirectory: "zot/" })],
    ["a prefix in its own", s3({ rootdirectory: "/zot" }), inS3({ rootdirectory: "/zot/team" })],
    [
      "a prefix that its own lies in",
      s3({ rootdirectory: "/zot/main" }),
      inS3({ rootdirectory: "/zot" }),
    ],
    [
      "its prefix, by another spelling of its endpoint",
      s3({ regionendpoint: "https://S3.example.com/" }),
      inS3({ regionendpoint: "s3.example.com" }),
    ],
  ])("the bucket of the main store: %s", (_says, storageDriver, entry) => {
    expect(problemsOf({ "/team": entry }, { storageDriver })).toEqual([
      expect.stringMatching(
        /^storage\.subPaths\["\/team"\]\.storageDriver\.rootdirectory: expected a prefix of its own beside that of storage\.storageDriver, got .+; give another rootdirectory or bucket$/,
      ) as string,
    ]);
  });

  test("not: prefixes that begin alike, other buckets, and stores of other kinds", () => {
    const storageDriver = s3({ rootdirectory: "/zot" });
    for (const entry of [
      inS3({ rootdirectory: "/zot-a" }),
      inS3({ rootdirectory: "/zot", bucket: "others" }),
      at("/data/team", { storageDriver: { name: "gcs", bucket: "images", rootdirectory: "/zot" } }),
      at("/data/team"),
    ]) {
      expect(problemsOf({ "/team": entry }, { storageDriver })).toEqual([]);
    }
  });

  test("what is wrong with a driver is said with its place", () => {
    expect(problemsOf({ "/team": inS3({ region: "" }) })).toEqual([
      `${place}.storageDriver.region: expected a region, such as "eu-central-1", where there is no regionendpoint, got ""`,
    ]);
  });

  test("not: directories whose names begin alike, and keys in any case", () => {
    const subPaths = {
      "/team": at("/data/main2"),
      "/web": { ROOTDIRECTORY: "/data/web", GC: true },
    };
    expect(problemsOf(subPaths)).toEqual([]);
  });
});

describe("an entry", () => {
  test("has zot's defaults, and its directory as a whole path", () => {
    const checked = checkConfig(
      { storage: { rootDirectory: "main", subPaths: { "/team": at("team") } } },
      {},
    );
    if ("problems" in checked) throw new Error(checked.problems.join("\n"));
    expect(checked.config.storage.subPaths).toMatchObject({
      "/team": {
        rootDirectory: `${process.cwd()}/team`,
        dedupe: false,
        commit: true,
        gc: false,
        gcDelay: 3_600_000,
        gcInterval: 3_600_000,
        gcTimeWindow: "",
        retention: { dryRun: false, delay: null, policies: [] },
      },
    });
  });

  const policies = [{ repositories: ["**"], keepTags: [{ patterns: ["^v"] }] }];
  test.each([
    [{}, []],
    [{ gc: true, gcDelay: "2h", retention: { policies } }, []],
    [
      { gcDelay: "2h", gcInterval: "2h", gcTimeWindow: "22:00-06:00" },
      ["gcDelay", "gcInterval", "gcTimeWindow"].map(
        (key) => `${place}.${key}: has no effect while gc is false there, as it is by default`,
      ),
    ],
    [
      { retention: { policies } },
      [`${place}.retention: removes nothing while gc is false there, as it is by default`],
    ],
    [
      { commit: false },
      [`${place}.commit: with false an acknowledged push may be lost when the machine stops`],
    ],
    [
      { redirectBlobURL: true },
      [
        `${place}.redirectBlobURL: has no effect while storageDriver names no store of objects there`,
      ],
    ],
    [
      {
        redirectBlobURL: true,
        storageDriver: { name: "s3", region: "x", bucket: "images", loglevel: "debug" },
      },
      [
        `${place}.storageDriver.loglevel has no effect: requests to the store are not logged one by one`,
      ],
    ],
    [
      { cacheDriver: { name: "dynamodb" }, remoteCache: true },
      ["cacheDriver", "remoteCache"].map(
        (key) => `${place}.${key}: has no effect: nothing is cached beside the metadata`,
      ),
    ],
    [
      { gc: true, retention: { policies: [...policies, ...policies] } },
      [expect.stringContaining(`${place}.retention.policies[1].repositories: `) as string],
    ],
  ])("%j is warned of", (entry, warnings) => {
    expect(warningsOf(entry)).toEqual(warnings);
  });
});
