// One configuration of each kind that zot publishes an example of with its content in a store of objects: the same keys with
// values of the same shape, hosts and secrets those of servers of the test. What runs them is `zot_dialect_stores.test.ts`.

/** Where content lies: what hosts and secrets are put in. */
export interface ObjectPlace {
  readonly s3: { readonly regionendpoint: string; readonly bucket: string; readonly keys: object };
  readonly gcs: object;
  readonly azure: object;
}

export interface ObjectKind {
  readonly kind: string;
  readonly needs: "s3" | "gcs" | "azure";
  readonly storage: (place: ObjectPlace) => object;
  readonly http?: object;
  readonly extensions?: object;
  readonly cluster?: object;
  readonly warnings: readonly string[];
}

const cached =
  "has no effect: what a cache would tell of the store stands in the metadata (storage.rootDirectory, or storage.metadata.url)";
const remoteCache = `storage.remoteCache: ${cached}`;
const cacheDriver = `storage.cacheDriver: ${cached}`;
const cluster =
  "cluster: has no effect: no server hands requests on, and none needs a list of the others; with storage.metadata.url any number serves one registry";

/** A prefix of its own for each kind, in the one bucket. */
function inS3({ s3 }: ObjectPlace, rootdirectory: string): object {
  const { regionendpoint, bucket, keys } = s3;
  return {
    name: "s3",
    rootdirectory,
    region: "us-east-2",
    regionendpoint,
    bucket,
    forcepathstyle: true,
    secure: false,
    skipverify: false,
    ...keys,
  };
}

const tables = {
  cacheTablename: "Blobs",
  repoMetaTablename: "Repositories",
  imageMetaTablename: "Images",
  repoBlobsInfoTablename: "BlobsOfRepositories",
  userDataTablename: "Users",
  apiKeyTablename: "Keys",
  versionTablename: "Version",
};
const dynamodb = { name: "dynamodb", endpoint: "http://127.0.0.1:9", region: "us-east-2" };
const uiAndSearch = { ui: { enable: true }, search: { enable: true } };

export const objectKinds: readonly ObjectKind[] = [
  {
    kind: "several stores in S3, each with its prefix of one bucket",
    needs: "s3",
    storage: (place) => ({
      dedupe: true,
      storageDriver: inS3(place, "/several"),
      cacheDriver: { ...dynamodb, cacheTablename: "Blobs" },
      subPaths: {
        "/a": {
          rootDirectory: "several-a",
          dedupe: false,
          storageDriver: inS3(place, "/several-a"),
        },
        "/b": {
          rootDirectory: "several-b",
          dedupe: true,
          remoteCache: false,
          storageDriver: inS3(place, "/several-b"),
        },
        "/c": {
          rootDirectory: "several-c",
          dedupe: true,
          remoteCache: true,
          storageDriver: inS3(place, "/several-c"),
          cacheDriver: { ...dynamodb, cacheTablename: "BlobsOfC" },
        },
      },
    }),
    warnings: [
      cacheDriver,
      ...["cacheDriver", "remoteCache"].map(
        (key) =>
          `storage.subPaths["/c"].${key}: has no effect: nothing is cached beside the metadata`,
      ),
    ],
  },
  {
    kind: "S3, and DynamoDB for what is known of it",
    needs: "s3",
    storage: (place) => ({
      dedupe: true,
      remoteCache: true,
      storageDriver: inS3(place, "/dynamodb"),
      cacheDriver: { ...dynamodb, ...tables },
    }),
    extensions: { search: { enable: false, cve: { updateInterval: "2h" } } },
    warnings: [
      remoteCache,
      cacheDriver,
      "extensions.search.cve: has no effect: nothing scans here; " +
        "clients are told that the search for vulnerabilities is disabled",
    ],
  },
  {
    kind: "S3, and Redis by a URL",
    needs: "s3",
    storage: (place) => ({
      dedupe: true,
      gc: true,
      cacheDriver: {
        name: "redis",
        url: "redis://user:password@127.0.0.1:9?dial_timeout=3&addr=127.0.0.1:10",
        keyprefix: "zot",
      },
      storageDriver: inS3(place, "/redis"),
    }),
    extensions: uiAndSearch,
    warnings: [cacheDriver],
  },
  {
    kind: "S3, and Redis by many keys",
    needs: "s3",
    storage: (place) => ({
      dedupe: true,
      gc: true,
      cacheDriver: {
        name: "redis",
        keyprefix: "zot",
        addr: ["127.0.0.1:9", "127.0.0.1:10"],
        client_name: "client",
        db: 1,
        protocol: 3,
        username: "user",
        password: "password",
        max_retries: 3,
        dial_timeout: "5s",
        pool_fifo: false,
        pool_size: 3,
        read_only: false,
        master_name: "metadata",
      },
      storageDriver: inS3(place, "/redis-keys"),
    }),
    extensions: uiAndSearch,
    warnings: [cacheDriver],
  },
  {
    kind: "S3, with a mirror",
    needs: "s3",
    storage: (place) => ({
      dedupe: true,
      gc: true,
      remoteCache: true,
      storageDriver: inS3(place, "/mirror"),
      cacheDriver: { name: "dynamodb", region: "us-east-2", cacheTablename: "Blobs" },
    }),
    extensions: {
      sync: {
        downloadDir: "/tmp/sync",
        registries: [
          {
            urls: ["http://127.0.0.1:9"],
            onDemand: false,
            tlsVerify: false,
            pollInterval: "30m",
            content: [{ prefix: "**" }],
          },
        ],
      },
    },
    warnings: [
      remoteCache,
      cacheDriver,
      "extensions.sync.downloadDir: has no effect: what is mirrored is written where it stays",
    ],
  },
  {
    kind: "S3, a member of a cluster",
    needs: "s3",
    storage: (place) => ({
      dedupe: false,
      remoteCache: true,
      storageDriver: inS3(place, "/cluster"),
      cacheDriver: { ...dynamodb, ...tables },
    }),
    cluster: {
      members: ["127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.1:9002"],
      hashKey: "sixteen-letters!",
      tls: { cacert: "ca.crt" },
    },
    warnings: [remoteCache, cacheDriver, cluster],
  },
  {
    kind: "Google Cloud Storage",
    needs: "gcs",
    storage: ({ gcs }) => ({ dedupe: false, storageDriver: { rootdirectory: "/zot", ...gcs } }),
    warnings: [],
  },
  {
    kind: "Azure",
    needs: "azure",
    storage: ({ azure }) => ({
      dedupe: false,
      storageDriver: { rootdirectory: "/zot", ...azure },
    }),
    warnings: [],
  },
];
