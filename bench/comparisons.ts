// The table of `npm run bench`: which workload runs on which servers, with the targets that the project set itself.
//
// Adding a comparison is adding a row; the workloads are those of `src/bench/workloads.ts`.

import { expectStatus } from "../src/bench/world.ts";
import type { Prepare } from "../src/bench/scenario.ts";
import {
  besideSlowReaders,
  listReferrers,
  listTags,
  pushBlobs,
  pushManifests,
  readBlobs,
  readManifest,
} from "../src/bench/workloads.ts";
import { formatBytes, GiB, KiB, MiB } from "../src/lib/bytes.ts";
import type { Comparison, Scale, Target } from "./comparison.ts";
import type { PeerName } from "./peers.ts";

export const fullScale: Scale = { rounds: 3, requests: 1000, many: 10_000, hugeBytes: 2 * GiB };

export const quickScale: Scale = { rounds: 2, requests: 100, many: 1000, hugeBytes: 256 * MiB };

const layerBytes = 100 * MiB;
const registries: readonly PeerName[] = ["zot", "zot-before", "docker-registry"];
/** Filling another registry with 10,000 tags takes longer than all the rest. */
const ours: readonly PeerName[] = ["zot", "zot-before"];

/** A peer and how many times its CPU ours may be. */
type Limits = readonly (readonly [peer: PeerName, atMost: number])[];

const small: Limits = [
  ["docker-registry", 0.1],
  ["nginx", 3],
];
const big: Limits = [
  ["docker-registry", 1],
  ["nginx", 1.5],
];

interface Reads {
  readonly concurrency: number;
  readonly blobs: number;
  readonly share: number;
  readonly limits: Limits;
}

function getBlobs(bytes: number, { concurrency, blobs, share, limits }: Reads): Comparison {
  const name = `get-${formatBytes(bytes).replace(" ", "-").toLowerCase()}`;
  const prepare = readBlobs(bytes, blobs);
  return {
    name,
    title: `GET of a blob of ${formatBytes(bytes)}`,
    cases: [
      {
        name: "get",
        title: `${blobs} blobs in turn`,
        peers: [...registries, "nginx"],
        share,
        concurrency,
        prepare,
      },
    ],
    targets: limits.map(([peer, atMost]) => ({
      id: `${name}/${peer}`,
      says: `CPU per request at most ${atMost} times that of ${peer}`,
      quantity: "cpu",
      of: { peer: "zot", case: "get" },
      against: { peer, case: "get" },
      atMost,
    })),
  };
}

/** Not against nginx: what TLS costs is asked of registries. */
const getOverTls: Comparison = {
  name: "get-100-mib-tls",
  title: "GET of a blob of 100 MiB over TLS",
  tls: true,
  cases: [
    {
      name: "get",
      title: "2 blobs in turn",
      peers: registries,
      share: 0.02,
      concurrency: 4,
      prepare: readBlobs(layerBytes, 2),
    },
  ],
  targets: [
    {
      id: "get-100-mib-tls/docker-registry",
      says: "CPU at most that of docker-registry, with a certificate of the same kind",
      quantity: "cpu",
      of: { peer: "zot", case: "get" },
      against: { peer: "docker-registry", case: "get" },
      atMost: 1,
    },
  ],
};

/** What it costs to know a caller: the same request with and without a password. */
const headWithPassword: Comparison = {
  name: "head-password",
  title: "HEAD of a manifest, with and without a password (bcrypt, cost 10)",
  cases: [
    {
      name: "head",
      title: "what is proved once is remembered, or nothing is to be proved",
      peers: ["zot", "zot-htpasswd", "docker-registry"],
      share: 10,
      concurrency: 16,
      prepare: readManifest("manifestHead", "tag"),
    },
    {
      name: "head-bcrypt",
      title: "a bcrypt for each request",
      peers: ["docker-registry-htpasswd"],
      share: 0.2,
      concurrency: 16,
      prepare: readManifest("manifestHead", "tag"),
    },
  ],
  targets: [
    {
      id: "head-password/anonymous",
      says: "CPU per request with a password at most 1.3 times that without",
      quantity: "cpu",
      of: { peer: "zot-htpasswd", case: "head" },
      against: { peer: "zot", case: "head" },
      atMost: 1.3,
    },
    {
      id: "head-password/docker-registry",
      says: "CPU per request at least 50 times less than with a bcrypt for each, as docker-registry does",
      quantity: "cpu",
      of: { peer: "zot-htpasswd", case: "head" },
      against: { peer: "docker-registry-htpasswd", case: "head-bcrypt" },
      atMost: 1 / 50,
    },
  ],
};

/** Asks the floor to copy a file. */
function copyFile(sizeBytes: number): Prepare {
  return async ({ client }) => {
    const copy = async () => {
      const exchange = await client.exchange({ method: "GET", url: `/copy?bytes=${sizeBytes}` });
      expectStatus("GET of a copy", exchange, [200]);
      return { bytes: sizeBytes, firstByteMs: null };
    };
    await copy();
    return copy;
  };
}

const uploads = { share: 0.005, concurrency: 1 };

const putBlobs: Comparison = {
  name: "put-100-mib",
  title: "Push of a blob of 100 MiB, each blob another",
  cases: [
    {
      name: "monolithic",
      title: "POST, PUT with Content-Length",
      peers: [...registries, "floor-loopback"],
      ...uploads,
      prepare: pushBlobs(layerBytes, "whole"),
    },
    {
      name: "streamed",
      title: "POST, PATCH in pieces of 32 KiB, PUT",
      peers: registries,
      ...uploads,
      prepare: pushBlobs(layerBytes, "stream"),
    },
    {
      name: "copied",
      title: "no upload at all: a file is read, hashed and written",
      peers: ["floor-file"],
      ...uploads,
      prepare: copyFile(layerBytes),
    },
  ],
  targets: [
    ...["monolithic", "streamed"].map((way): Target => ({
      id: `put-100-mib/docker-registry/${way}`,
      says: `CPU less than docker-registry's (${way})`,
      quantity: "cpu",
      of: { peer: "zot", case: way },
      against: { peer: "docker-registry", case: way },
      atMost: 1,
    })),
    ...(
      [
        ["floor-file", "copied"],
        ["floor-loopback", "monolithic"],
      ] as const
    ).map(([floor, name]): Target => ({
      id: `put-100-mib/${floor}`,
      says: `CPU within 1.3 times of reading, hashing and writing the same bytes once (${floor})`,
      quantity: "cpu",
      of: { peer: "zot", case: "monolithic" },
      against: { peer: floor, case: name },
      atMost: 1.3,
    })),
  ],
};

const clients = 16;

function manifestPushes({ many }: Scale): Comparison {
  const count = many.toLocaleString("en");
  return {
    name: "push-manifest",
    title: "Push of a manifest by tag, each manifest and each tag another",
    cases: [
      {
        name: "empty",
        title: "into an empty repository",
        peers: registries,
        share: 0.8,
        concurrency: clients,
        prepare: pushManifests(),
      },
      {
        name: "large",
        title: `into a repository of ${count} tags`,
        peers: ours,
        share: 0.8,
        concurrency: clients,
        prepare: pushManifests(many),
      },
    ],
    targets: [
      {
        id: "push-manifest/docker-registry",
        says: `with ${clients} clients at once, at least 3 times docker-registry's pushes per second`,
        quantity: "rate",
        of: { peer: "zot", case: "empty" },
        against: { peer: "docker-registry", case: "empty" },
        atLeast: 3,
      },
      {
        id: "push-manifest/large",
        says: `CPU per push into a repository of ${count} tags within 1.5 times of that into an empty one`,
        quantity: "cpu",
        of: { peer: "zot", case: "large" },
        against: { peer: "zot", case: "empty" },
        atMost: 1.5,
      },
    ],
  };
}

/** What "independent of the size" allows: equal but for what two measurements of the same thing differ by. */
const independentAtMost = 1.25;

function independent(name: string, what: string): Target {
  return {
    id: `${name}/independent`,
    says: `CPU of ${what} independent of the size of the repository`,
    quantity: "cpu",
    of: { peer: "zot", case: "large" },
    against: { peer: "zot", case: "small" },
    atMost: independentAtMost,
  };
}

function tagLists({ many }: Scale): Comparison {
  return {
    name: "list-tags",
    title: "Page of 100 tags",
    cases: [
      {
        name: "small",
        title: "of 100",
        peers: registries,
        share: 2,
        concurrency: 8,
        prepare: listTags(100),
      },
      {
        name: "large",
        title: `of ${many.toLocaleString("en")}, the first page and one from the middle in turn`,
        peers: ours,
        share: 2,
        concurrency: 8,
        prepare: listTags(many),
      },
    ],
    targets: [independent("list-tags", "a page of 100 tags")],
  };
}

const referrersOfSubject = 5;

function referrersLists({ many }: Scale): Comparison {
  const shared = { peers: ours, share: 2, concurrency: 8 };
  return {
    name: "list-referrers",
    title: `Referrers of one subject, which has ${referrersOfSubject}`,
    cases: [
      {
        name: "small",
        title: "among 100 manifests",
        ...shared,
        prepare: listReferrers(referrersOfSubject, 100),
      },
      {
        name: "large",
        title: `among ${many.toLocaleString("en")} manifests`,
        ...shared,
        prepare: listReferrers(referrersOfSubject, many),
      },
    ],
    targets: [independent("list-referrers", "a referrers list")],
  };
}

function memory({ hugeBytes, requests }: Scale): Comparison {
  const crowd = 40;
  return {
    name: "memory",
    title: `${crowd} uploads of 100 MiB at once while 50 slow readers read a blob of ${formatBytes(hugeBytes)}`,
    workers: 1,
    rounds: 1,
    cases: [
      {
        name: "crowd",
        title: "one worker process",
        peers: registries,
        share: crowd / requests,
        concurrency: crowd,
        prepare: besideSlowReaders(
          { readers: 50, sizeBytes: hugeBytes, pauseMs: 1000 },
          pushBlobs(layerBytes),
        ),
      },
    ],
    targets: [
      {
        id: "memory/worker",
        says: "peak resident memory of one worker under 150 MiB",
        quantity: "peak",
        of: { peer: "zot", case: "crowd" },
        atMost: 150 * MiB,
      },
    ],
  };
}

export function comparisonsOf(scale: Scale): readonly Comparison[] {
  return [
    getBlobs(KiB, { concurrency: 16, blobs: 100, share: 20, limits: small }),
    getBlobs(64 * KiB, { concurrency: 16, blobs: 100, share: 10, limits: small }),
    getBlobs(MiB, { concurrency: 8, blobs: 20, share: 2, limits: big }),
    getBlobs(layerBytes, { concurrency: 4, blobs: 2, share: 0.02, limits: big }),
    getOverTls,
    headWithPassword,
    putBlobs,
    manifestPushes(scale),
    tagLists(scale),
    referrersLists(scale),
    memory(scale),
  ];
}
