// Pulls are gathered and written in batches: how soon, how often, and whose count.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { digest, manifest, startMs } from "../../../test/contracts/metadata_facts.ts";
import { manualClock } from "../../lib/clock.ts";
import { MemoryMetadata } from "../../metadata/memory/memory_metadata.ts";
import type { AnyCommit, Metadata } from "../../metadata/metadata.ts";
import { retention } from "../../metadata/retention.ts";
import { retentionOptions } from "./options.ts";
import { PullStatistics, type Pull } from "./pull_statistics.ts";
import { compileRules } from "./rules.ts";
import { noBytes } from "../../../test/contracts/no_bytes.ts";

const second = 1_000;
const repository = "team/app";
const clock = manualClock(startMs);
let store: MemoryMetadata;
let metadata: Metadata;
let commits: AnyCommit[];
let refuses: boolean;
let pulls: PullStatistics;
let warnings: string[];

function rulesOf(policies: unknown) {
  const read = retentionOptions.policies.type.parse(policies);
  return compileRules({ dryRun: false, delay: null, policies: read }, 0);
}

const none = rulesOf([]);

function pullOf(name: string, more: Partial<Pull> = {}): Pull {
  const by = { user: null, userAgent: () => "docker/27.3 go/1.22" };
  return { repository, digest: digest(name), tag: "1.0", ...by, ...more };
}

const counts = async (...names: string[]): Promise<Record<string, number>> => {
  const found = await metadata.records(retention).pulls(repository, names.map(digest));
  return Object.fromEntries(
    names.map((name) => [name, found.find((one) => one.digest === digest(name))?.count ?? 0]),
  );
};

beforeEach(async () => {
  store = new MemoryMetadata({ clock, bytes: noBytes });
  metadata = store.open({ committer: store });
  for (const name of ["a", "b"]) {
    await metadata.commit({
      repository,
      preconditions: [],
      changes: [{ kind: "put-manifest", manifest: manifest(name) }],
      by: null,
    });
  }
  commits = [];
  warnings = [];
  refuses = false;
  pulls = new PullStatistics({
    clock,
    committer: {
      commit: (commit) => {
        commits.push(commit);
        return refuses ? Promise.reject(new Error("full")) : metadata.commit(commit);
      },
    },
    report: (_level, message) => warnings.push(message),
  });
});
afterEach(async () => {
  await pulls.close();
  await store.close();
});

test("pulls of many manifests share a commit, a few seconds later", async () => {
  pulls.note(pullOf("a"), none);
  pulls.note(pullOf("b"), none);
  pulls.note(pullOf("a", { tag: null }), none);
  expect(commits).toEqual([]);
  await clock.advance(5 * second);
  expect(await counts("a", "b")).toEqual({ a: 2, b: 1 });
  expect(commits).toHaveLength(1);
});

test("a manifest that is pulled all the time is written once a minute", async () => {
  for (let at = 0; at < 121; at += 1) {
    pulls.note(pullOf("a"), none);
    await clock.advance(second);
  }
  expect(commits.length).toBeLessThanOrEqual(3);
  await pulls.close();
  expect(await counts("a")).toEqual({ a: 121 });
  const [found] = await metadata.records(retention).pulls(repository, [digest("a")]);
  expect(found?.at).toBe(clock.now() - second);
});

test("without pulls nothing is written, and nothing waits", async () => {
  pulls.note(pullOf("a"), none);
  await clock.advance(120 * second);
  expect(commits).toHaveLength(1);
  await clock.advance(3600 * second);
  expect(commits).toHaveLength(1);
});

test("a stop writes what is gathered", async () => {
  pulls.note(pullOf("a"), none);
  await pulls.close();
  expect(await counts("a")).toEqual({ a: 1 });
});

test("what cannot be written is told of once and counted later", async () => {
  refuses = true;
  pulls.note(pullOf("a"), none);
  await clock.advance(5 * second);
  expect(warnings).toHaveLength(1);
  refuses = false;
  await clock.advance(65 * second);
  expect(await counts("a")).toEqual({ a: 1 });
});

test("signatures, and callers that a policy ignores, count for nothing", async () => {
  const rules = rulesOf([
    { repositories: ["team/*"], pulledBy: { ignore: ["trivy*", "scanner"] } },
  ]);
  pulls.note(pullOf("a", { tag: `sha256-${"0".repeat(64)}.sig` }), rules);
  pulls.note(pullOf("a", { userAgent: () => "trivy/0.58 (linux/amd64)" }), rules);
  pulls.note(pullOf("a", { user: "scanner" }), rules);
  pulls.note(pullOf("b", { user: "scanners" }), rules);
  await pulls.close();
  expect(await counts("a", "b")).toEqual({ a: 0, b: 1 });
});

test("a repository is looked at again where places are given by pulls", async () => {
  const due = () => metadata.records(retention).due(clock.now(), 10);
  pulls.note(pullOf("a"), rulesOf([{ repositories: ["**"], keepTags: [{ pulledWithin: "1h" }] }]));
  await clock.advance(5 * second);
  expect(await due()).toEqual([]);
  const ranked = [{ repositories: ["**"], keepTags: [{ mostRecentlyPulledCount: 1 }] }];
  pulls.note(pullOf("b"), rulesOf(ranked));
  await clock.advance(5 * second);
  expect(await due()).toEqual([repository]);
});
