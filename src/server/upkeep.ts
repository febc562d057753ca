/**
 * What the primary does beside taking commits: the background jobs, small writes that prove that the root takes some,
 * and following the file of users.
 */
import { join } from "node:path";
import { followFileUsers, type FileUserFollower } from "../auth/file_users.ts";
import type { RegistryConfig } from "../config/schema.ts";
import type { PrimaryExtensions } from "../extensions/open_extensions.ts";
import type { HeavyRunner } from "../jobs/heavy_work.ts";
import { JobLoop } from "../jobs/job_loop.ts";
import type { Clock } from "../lib/clock.ts";
import type { Leases } from "../lib/lease.ts";
import { followers } from "../metadata/followers.ts";
import type { Committer } from "../metadata/metadata.ts";
import { recordCommit } from "../metadata/records.ts";
import { isFull } from "../registry/explain_failure.ts";
import { followerJob } from "../registry/follower_job.ts";
import type { MetadataExporter } from "../registry/export_job.ts";
import { registryJobs } from "../registry/jobs.ts";
import type { Registry, Report } from "../registry/registry.ts";
import { RootProbe } from "../registry/root_probe.ts";
import { settingsOf } from "../registry/store_settings.ts";
import { repositoryKey } from "../storage/layout.ts";
import type { Stores } from "../storage/stores.ts";
import { auditFound } from "./audit_found.ts";
import type { Writer } from "./root.ts";

/** Starts every job of the table, those of extensions and their followers of the feed included. */
export async function startJobs(options: {
  readonly registry: Registry;
  readonly stores: Stores;
  readonly heavy: HeavyRunner<Registry>;
  readonly leases: Leases;
  readonly extensions: PrimaryExtensions;
  /** Null where metadata are not exported. */
  readonly exporter: MetadataExporter | null;
  /** The configuration in force. */
  readonly config: () => RegistryConfig;
  readonly onReconciled: () => void;
}): Promise<JobLoop<Registry>> {
  const { registry, stores, heavy, leases, extensions, exporter, config, onReconciled } = options;
  const { report, clock } = registry;
  const uploadIdleMs = (): number => config().storage.uploadIdle;
  const onExpired = (uploads: number): void => extensions.onExpired(uploads);
  const own = registryJobs({
    registry,
    report,
    heavy,
    uploadIdleMs,
    collection: () => config().storage,
    scrub: () => config().extensions.scrub,
    upkeep: stores.upkeep,
    removalDelayMs: () => config().storage.removalDelay,
    auditIntervalMs: () => config().storage.auditInterval,
    exporter,
    exports: () => config().storage,
    historyMs: () => config().storage.history.keep,
    directoryOf: (repository) => directoryOf(config().storage, repository),
    fastRestart: config().storage.fastRestart,
    onReconciled,
    onFound: (found) => auditFound(config().log.audit, found, { clock, report }),
    onExpired,
    onDrift: (bytes) => extensions.onDrift(bytes),
    onCollected: (removed, ms) => {
      // What it holds for an undo may have to give way at once, where the disk is short.
      if (removed !== null && removed.manifests + removed.blobs > 0) jobs.kick();
      extensions.onCollected(removed, ms);
    },
  });
  const followed = extensions.follows(registry, heavy);
  await endFollowers(registry, followed.off);
  const following = followed.on.map((follower) => followerJob(registry, follower));
  const jobs: JobLoop<Registry> = new JobLoop({
    jobs: [...own, ...extensions.jobs(registry, stores, heavy), ...following],
    heavy,
    leases,
    clock,
    report,
    watcher: extensions.onJob,
  });
  jobs.start();
  return jobs;
}

/** As people find a repository; its name where it is no directory. */
function directoryOf(storage: RegistryConfig["storage"], repository: string): string {
  const { rootDirectory } = settingsOf<{ readonly rootDirectory: string | null }>(
    storage,
    repository,
  );
  return rootDirectory === null ? repository : join(rootDirectory, repositoryKey(repository));
}

/** The feed keeps records for every follower; those that nobody runs would keep them for ever. */
async function endFollowers({ metadata }: Registry, names: readonly string[]): Promise<void> {
  const reads = metadata.records(followers);
  for (const name of names) {
    if ((await reads.cursor(name)) === null) continue;
    await metadata.commit(recordCommit(followers, { kind: "unfollow", name }));
  }
}

/** Tries small writes from now on. */
export function startProbe(
  { blobs }: Stores,
  writer: Writer,
  { clock, report }: { readonly clock: Clock; readonly report: Report },
): RootProbe {
  const probe = new RootProbe({
    clock,
    report,
    isFull,
    attempt: async () => {
      await writer.probe();
      await blobs.probe();
    },
  });
  probe.start();
  return probe;
}

/** The file of users, as the configuration in force names it. */
export class UsersFile {
  readonly #open: (config: RegistryConfig) => FileUserFollower | null;
  #follower: FileUserFollower | null;

  constructor(
    config: RegistryConfig,
    parts: { readonly committer: Committer; readonly clock: Clock; readonly report: Report },
  ) {
    this.#open = ({ http }) => followFileUsers(http.auth.htpasswd.path, parts);
    this.#follower = this.#open(config);
  }

  /** Resolves before anybody logs in by a name that somebody else had. */
  async settled(): Promise<void> {
    await this.#follower?.settled();
  }

  reconfigure(config: RegistryConfig): void {
    const replaced = this.#follower;
    this.#follower = this.#open(config);
    void replaced?.close();
  }

  async close(): Promise<void> {
    await this.#follower?.close();
  }
}
