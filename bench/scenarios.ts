// The scenarios of the benchmark, as a table with the targets that the project set itself.
//
// Adding one is adding a row: what is set up, which load each round has, and which figure is held against which.
// `runner.ts` runs them, `figures.ts` computes, `report.ts` and `page.ts` show the result.

import { formatBytes, GiB, KiB, MiB } from "../src/lib/bytes.ts";
import { describeManifest, makeManifest, manifestMediaType, tagName } from "./content.ts";
import { placeBlobs, placeConfig, placeManifest, runJob, uploadJob } from "./generator.ts";
import type { GetJob, ManifestsJob, UploadJob } from "./load/jobs.ts";
import type { Case, JobOf, Scale, Scenario, Target } from "./scenario.ts";
import { type Server, type ServerName, servers } from "./servers.ts";

export const fullScale: Scale = {
  rounds: 5,
  seconds: 2,
  uploads: 5,
  pushes: 800,
  many: 10_000,
  hugeBytes: 2 * GiB,
};

export const quickScale: Scale = {
  rounds: 2,
  seconds: 0.5,
  uploads: 2,
  pushes: 200,
  many: 1000,
  hugeBytes: 256 * MiB,
};

const layerBytes = 100 * MiB;
const registries: readonly ServerName[] = ["zot", "zot-before", "docker-registry"];

/** A peer and how many times its CPU ours may be. */
type Limits = readonly (readonly [peer: ServerName, atMost: number])[];

function cpuTargets(name: string, limits: Limits): Target[] {
  return limits.map(([peer, atMost]) => ({
    id: `${name}/${peer}`,
    says: `CPU per request at most ${atMost} times that of ${peer}`,
    quantity: "cpu",
    of: { server: "zot", case: "get" },
    against: { server: peer, case: "get" },
    atMost,
  }));
}

function getBlobs(
  bytes: number,
  options: { connections: number; count: number; limits: Limits },
): Scenario {
  const size = formatBytes(bytes).replace(" ", "-").toLowerCase();
  const name = `get-${size}`;
  return {
    name,
    title: `GET of a blob of ${formatBytes(bytes)}`,
    load: `${options.connections} connections, ${options.count} blobs in turn`,
    unit: "request",
    writes: false,
    cases: [{ name: "get", title: "", servers: [...registries, "nginx"] }],
    prepare: async (server, scale) => {
      const family = { seed: name, count: options.count, bytes };
      const paths = await placeBlobs(server, "bench/blobs", family);
      return async () => getJob(server, paths, options.connections, scale.seconds);
    },
    targets: cpuTargets(name, options.limits),
  };
}

function getJob(
  server: Server,
  paths: readonly string[],
  connections: number,
  seconds: number,
): GetJob {
  const { port, tls } = server;
  return { kind: "get", port, tls, connections, seconds, paths };
}

/** Not against nginx: what TLS costs is asked of registries. */
const getOverTls: Scenario = {
  ...getBlobs(layerBytes, { connections: 4, count: 2, limits: [] }),
  name: "get-100-mib-tls",
  title: "GET of a blob of 100 MiB over TLS",
  unit: "GiB",
  tls: true,
  cases: [{ name: "get", title: "", servers: registries }],
  targets: [
    {
      id: "get-100-mib-tls/docker-registry",
      says: "CPU per GiB at most that of docker-registry, with a certificate of the same kind",
      quantity: "cpu",
      of: { server: "zot", case: "get" },
      against: { server: "docker-registry", case: "get" },
      atMost: 1,
    },
  ],
};

/** What it costs to know a caller: the same request with and without a password. */
const headWithPassword: Scenario = {
  name: "head-password",
  title: "HEAD of a manifest, with and without a password (bcrypt, cost 10)",
  load: "16 connections",
  unit: "request",
  writes: false,
  cases: [
    {
      name: "head",
      title: "",
      servers: ["zot", "zot-htpasswd", "docker-registry", "docker-registry-htpasswd"],
    },
  ],
  prepare: async (server, scale) => {
    const path = await placeManifest(server, "bench/head");
    const { authorization } = servers[server.name];
    return async () => ({
      ...getJob(server, [path], 16, scale.seconds),
      method: "HEAD",
      accept: manifestMediaType,
      ...(authorization === undefined ? {} : { authorization }),
    });
  },
  targets: [
    {
      id: "head-password/anonymous",
      says: "CPU per request with a password at most 1.3 times that without",
      quantity: "cpu",
      of: { server: "zot-htpasswd", case: "head" },
      against: { server: "zot", case: "head" },
      atMost: 1.3,
    },
    {
      id: "head-password/docker-registry",
      says: "CPU per request at least 50 times less than with a bcrypt for each, as docker-registry does",
      quantity: "cpu",
      of: { server: "zot-htpasswd", case: "head" },
      against: { server: "docker-registry-htpasswd", case: "head" },
      atMost: 1 / 50,
    },
  ],
};

const putCases: readonly Case[] = [
  {
    name: "monolithic",
    title: "POST, PUT with Content-Length",
    servers: [...registries, "floor-file", "floor-loopback"],
  },
  { name: "streamed", title: "POST, chunked PATCH, PUT", servers: registries },
];

/** Every blob of every round is another: an upload of a known blob would be cheaper. */
async function prepareUploads(server: Server, scale: Scale): Promise<JobOf> {
  let first = 0;
  return async (caseName) => {
    const count = scale.uploads;
    if (server.name === "floor-file") {
      return { kind: "copy", directory: server.directory, bytes: layerBytes, count };
    }
    const job: UploadJob = {
      ...uploadJob(server, "bench/uploads", { seed: "upload", count, bytes: layerBytes }),
      way: caseName === "streamed" ? "streamed" : "monolithic",
      first,
    };
    first += count;
    return job;
  };
}

const putBlobs: Scenario = {
  name: "put-100-mib",
  title: "Push of a blob of 100 MiB",
  load: "1 connection, each blob another",
  unit: "GiB",
  writes: true,
  cases: putCases,
  prepare: prepareUploads,
  targets: [
    ...["monolithic", "streamed"].map((way): Target => ({
      id: `put-100-mib/docker-registry/${way}`,
      says: `CPU per GiB less than docker-registry's (${way})`,
      quantity: "cpu",
      of: { server: "zot", case: way },
      against: { server: "docker-registry", case: way },
      atMost: 1,
    })),
    ...(["floor-file", "floor-loopback"] as const).map((floor): Target => ({
      id: `put-100-mib/${floor}`,
      says: `CPU per GiB within 1.3 times of reading, hashing and writing the same bytes once (${floor})`,
      quantity: "cpu",
      of: { server: "zot", case: "monolithic" },
      against: { server: floor, case: "monolithic" },
      atMost: 1.3,
    })),
  ],
};

const clients = 16;

function manifestsJob(server: Server, repository: string, count: number): ManifestsJob {
  const { port } = server;
  const seed = "tag";
  return { kind: "manifests", port, connections: clients, repository, seed, first: 0, count };
}

/** A repository of `count` tags, filled through the API. */
async function fillTags(server: Server, repository: string, count: number): Promise<void> {
  await placeConfig(server, repository);
  await runJob(manifestsJob(server, repository, count));
}

const pushManifests: Scenario = {
  name: "push-manifest",
  title: "Push of a manifest by tag",
  load: `${clients} clients, each manifest and each tag another`,
  unit: "push",
  writes: true,
  cases: [
    { name: "empty", title: "into an empty repository", servers: registries },
    { name: "large", title: "into a repository of 10,000 tags", servers: registries },
  ],
  prepare: async (server, scale) => {
    await fillTags(server, "bench/large", scale.many);
    let pushed = scale.many;
    return async (caseName, round) => {
      if (caseName === "empty") {
        const repository = `bench/empty${round}`;
        await placeConfig(server, repository);
        // Manifests that the registry has nowhere yet, as in the other case.
        return { ...manifestsJob(server, repository, scale.pushes), seed: `empty${round}` };
      }
      const job = { ...manifestsJob(server, "bench/large", scale.pushes), first: pushed };
      pushed += scale.pushes;
      return job;
    };
  },
  targets: [
    {
      id: "push-manifest/docker-registry",
      says: `with ${clients} clients at once, at least 3 times docker-registry's pushes per second`,
      quantity: "rate",
      of: { server: "zot", case: "empty" },
      against: { server: "docker-registry", case: "empty" },
      atLeast: 3,
    },
    {
      id: "push-manifest/large",
      says: "CPU per push into a repository of 10,000 tags within 1.5 times of that into an empty one",
      quantity: "cpu",
      of: { server: "zot", case: "large" },
      against: { server: "zot", case: "empty" },
      atMost: 1.5,
    },
  ],
};

/** What "independent of the size" allows: equal but for what two measurements of the same thing differ by. */
const independentAtMost = 1.25;

const listTags: Scenario = {
  name: "list-tags",
  title: "Page of 100 tags",
  load: "8 connections, first page and a page from the middle in turn",
  unit: "request",
  writes: false,
  cases: [
    { name: "small", title: "of 100", servers: registries },
    { name: "large", title: "of 10,000", servers: registries },
  ],
  prepare: async (server, scale) => {
    await fillTags(server, "bench/small", 100);
    await fillTags(server, "bench/large", scale.many);
    return async (caseName) => {
      const first = `/v2/bench/${caseName}/tags/list?n=100`;
      const middle = `${first}&last=${tagName("tag", scale.many / 2)}`;
      const paths = caseName === "small" ? [first] : [first, middle];
      return getJob(server, paths, 8, scale.seconds);
    };
  },
  targets: [
    {
      id: "list-tags/independent",
      says: "CPU of a page of 100 tags independent of the size of the repository",
      quantity: "cpu",
      of: { server: "zot", case: "large" },
      against: { server: "zot", case: "small" },
      atMost: independentAtMost,
    },
  ],
};

const referrersOfSubject = 5;

/** Repository with `count` manifests: a subject, its five referrers, and as many other pairs of the kind. */
async function fillReferrers(server: Server, repository: string, count: number): Promise<string> {
  await placeConfig(server, repository);
  const subjectCount = Math.floor(count / (referrersOfSubject + 1));
  const subjects = Array.from({ length: subjectCount }, (_, index) =>
    describeManifest(makeManifest("tag", index)),
  );
  await runJob(manifestsJob(server, repository, subjectCount));
  const referrers = subjectCount * referrersOfSubject;
  await runJob({ ...manifestsJob(server, repository, referrers), seed: "referrer", subjects });
  const middle = subjects[Math.floor(subjectCount / 2)];
  return `/v2/${repository}/referrers/${middle?.digest}`;
}

const listReferrers: Scenario = {
  name: "list-referrers",
  title: "Referrers of one subject, which has 5",
  load: "8 connections",
  unit: "request",
  writes: false,
  cases: [
    { name: "small", title: "among 100 manifests", servers: ["zot", "zot-before"] },
    { name: "large", title: "among 10,000 manifests", servers: ["zot", "zot-before"] },
  ],
  prepare: async (server, scale) => {
    const small = await fillReferrers(server, "bench/small", 100);
    const large = await fillReferrers(server, "bench/large", scale.many);
    return async (caseName) =>
      getJob(server, [caseName === "small" ? small : large], 8, scale.seconds);
  },
  targets: [
    {
      id: "list-referrers/independent",
      says: "CPU of a referrers list independent of the size of the repository",
      quantity: "cpu",
      of: { server: "zot", case: "large" },
      against: { server: "zot", case: "small" },
      atMost: independentAtMost,
    },
  ],
};

const crowd: Scenario = {
  name: "memory",
  title: "50 slow readers of a blob of 2 GiB and 40 uploads of 100 MiB at once",
  load: "one worker process; 90 connections",
  unit: "GiB",
  writes: true,
  workers: 1,
  rounds: 2,
  cases: [{ name: "crowd", title: "", servers: registries }],
  prepare: async (server, scale) => {
    const huge = { seed: "huge", count: 1, bytes: scale.hugeBytes };
    const [readerPath = ""] = await placeBlobs(server, "bench/huge", huge);
    return async (_, round) => {
      const family = { seed: `crowd${round}`, count: 40, bytes: layerBytes };
      const upload = { ...uploadJob(server, "bench/uploads", family), connections: 40 };
      return { kind: "crowd", port: server.port, readers: 50, readerPath, pauseMs: 1000, upload };
    };
  },
  targets: [
    {
      id: "memory/worker",
      says: "peak resident memory of one worker under 150 MiB",
      quantity: "peak",
      of: { server: "zot", case: "crowd" },
      atMost: 150 * MiB,
    },
  ],
};

const small: Limits = [
  ["docker-registry", 0.1],
  ["nginx", 3],
];
const big: Limits = [
  ["docker-registry", 1],
  ["nginx", 1.5],
];

export const scenarios: readonly Scenario[] = [
  getBlobs(KiB, { connections: 16, count: 100, limits: small }),
  getBlobs(64 * KiB, { connections: 16, count: 100, limits: small }),
  getBlobs(MiB, { connections: 8, count: 20, limits: big }),
  getBlobs(layerBytes, { connections: 4, count: 2, limits: big }),
  getOverTls,
  headWithPassword,
  putBlobs,
  pushManifests,
  listTags,
  listReferrers,
  crowd,
];
