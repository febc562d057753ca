// Mistakes that a registry may make about what it removes, planted in front of the product or in its database. Each has
// to show as a difference from the model.

import type { AnyCommit, Commit } from "../../src/metadata/metadata.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import type { LayoutRegistry } from "../../src/registry/registry.ts";
import { changedCommits } from "../registry/world.ts";
import { repositories } from "./content.ts";
import type { Planted } from "./place.ts";

const isCollection = (commit: AnyCommit): commit is Commit =>
  "repository" in commit && commit.by === ":gc";

const does = (commit: AnyCommit, kind: string): commit is Commit =>
  "repository" in commit && commit.changes.some((change) => change.kind === kind);

/** A push proves its bytes; a mount alone proves that its source is sound. */
const isMount = (commit: AnyCommit): commit is Commit =>
  does(commit, "link-blob") && commit.preconditions.some(({ kind }) => kind === "unmarked-in");

/** Each with what the model says of it. */
export const plantedBugs: Readonly<Record<string, { planted: Planted; says: RegExp }>> = {
  "counts from the push, not from the last name": {
    planted: {
      sql:
        "CREATE TRIGGER IF NOT EXISTS planted AFTER INSERT ON candidates WHEN NEW.kind = 'manifest' BEGIN UPDATE candidates SET " +
        "(since, look_at) = (SELECT pushed_at, pushed_at FROM manifests m WHERE m.repository = NEW.repository " +
        "AND m.digest = NEW.digest) WHERE repository = NEW.repository AND digest = NEW.digest AND kind = NEW.kind; END",
    },
    says: /has to stay|is in no plan/,
  },
  "forgets that another image shares a blob": {
    planted: {
      sql:
        "CREATE TRIGGER IF NOT EXISTS planted BEFORE INSERT ON manifest_references WHEN EXISTS (SELECT 1 FROM manifest_references r " +
        "WHERE r.repository = NEW.repository AND r.child = NEW.child) BEGIN SELECT RAISE(IGNORE); END",
    },
    says: /has to stay|is in no plan|is carried out|is refused/,
  },
  "collects without the protocol: bytes go with the row": {
    planted: {
      registry: (registry) =>
        changedCommits(registry, async (commit, commits) => {
          const outcome = await commits(commit);
          if (isCollection(commit)) await removeBytes(registry, commit);
          return outcome;
        }),
    },
    says: /ENOENT|can be brought back|is pulled|is carried out|rename|whose bytes are not there/,
  },
  "holds nothing of what is collected": {
    planted: {
      sql: "CREATE TRIGGER IF NOT EXISTS planted BEFORE INSERT ON held_blobs BEGIN SELECT RAISE(IGNORE); END",
    },
    says: /can be brought back|is carried out/,
  },
  "forgets candidates of what a removed manifest named": {
    planted: {
      sql:
        "CREATE TRIGGER IF NOT EXISTS planted BEFORE INSERT ON candidates WHEN NEW.kind = 'blob' AND EXISTS (SELECT 1 FROM " +
        "manifest_references r WHERE r.repository = NEW.repository AND r.child = NEW.digest) " +
        "BEGIN SELECT RAISE(IGNORE); END",
    },
    says: /should be collected|files that are left/,
  },
  "forgets to sweep": {
    planted: {
      sql: "CREATE TRIGGER IF NOT EXISTS planted BEFORE INSERT ON orphans BEGIN SELECT RAISE(IGNORE); END",
    },
    says: /files that are left|^[^:]*: content of/,
  },
  "undo without a commit": {
    planted: changesNothing((commit) => does(commit, "restore-held")),
    says: /is back with|may be at/,
  },
  "forgets a mount: what was mounted has no row": {
    planted: changesNothing(isMount),
    says: /is pushed/,
  },
  "forgets that a file is shared: a sweep takes it from all": {
    planted: {
      registry: (registry) =>
        changedCommits(registry, async (commit, commits) => {
          const outcome = await commits(commit);
          if (does(commit, "sweep-orphan")) await removeShared(registry, commit);
          return outcome;
        }),
    },
    says: /ENOENT|can be brought back|is pulled|which is not there|whose bytes are not there/,
  },
};

/** Of such a commit the conditions are proved, and its changes are not made. */
function changesNothing(isLost: (commit: AnyCommit) => commit is Commit): Planted {
  return {
    registry: (registry) =>
      changedCommits(registry, async (commit, commits) =>
        commits(isLost(commit) ? { ...commit, changes: [], records: [] } : commit),
      ),
  };
}

/** The content of the orphans that a commit sweeps, in all other repositories. */
async function removeShared(registry: LayoutRegistry, commit: Commit): Promise<void> {
  for (const other of repositories) {
    if (other !== commit.repository) {
      await removeBytes(registry, { ...commit, repository: other });
    }
  }
}

async function removeBytes(
  registry: LayoutRegistry,
  { repository, changes }: Commit,
): Promise<void> {
  for (const change of changes) {
    const digest = "digest" in change ? parseDigest(change.digest) : null;
    if (digest !== null) await registry.blobs.remove(repository, digest);
  }
}
