// What `zot help migrate` says: the page of the manual for whoever moves a registry to another place.

import type { HelpPage } from "./command.ts";

export const migrateHelp: HelpPage = {
  says: `Moves a registry into another place: between a directory, a bucket of S3, Google Cloud Storage or Azure, and the databases that keep its metadata, in either direction. Each place is named by the configuration file that serves it. All that the registry knows goes along: repositories, tags with their history, what an undo can bring back, referrers, pins, pull counts, API keys, stars and bookmarks, origins of mirrored content, marks of damage.

Bytes are read once for each digest, proven by it on the way, and shared in the new place as they are in the old one. With --prepare bytes alone are moved, while a server may serve the old registry; so the stop of the last run is short. That run has the old registry for itself: it moves what came since, then the metadata at once, and compares both sides row by row. The old registry is never changed. A run that was stopped or killed goes on where it was: what is there is not sent again.

A registry of another kind is taken in: zot:CONFIG is a bucket that zot (Go) wrote, by its configuration file; distribution:CONFIG, or distribution:DIRECTORY, is what docker-registry keeps on a disk or in a bucket. Tags, manifests and blobs come with their digests, and with the times of tags as far as files tell them; --repositories takes some alone. (A directory of zot (Go) needs no move: serve it.)

The new place must be empty, and is not served before it is whole. Content that is damaged or missing is told by the tags that lead to it, and marked in the new place, so that a push of it repairs it. Not moved: uploads on their way, what lies in quarantine, and comparisons, which are made again.`,
  signals: [["SIGINT, SIGTERM", "Stop. The next run goes on from what is there."]],
  exitStatus: [
    [0, "Moved; with --prepare, all bytes that were there are in the new place."],
    [1, "Not moved; the reason is on standard error, and the next run goes on."],
    [2, "A mistake on the command line."],
    [3, "Moved, and content that is damaged or missing was told."],
  ],
  environment: [
    ["NAME", "Any variable that a configuration names as ${NAME} or ${NAME:-default}."],
  ],
  files: [
    [
      "from, to",
      "With the keys of zot (Go), JSON or YAML; every key is in docs/reference/config.md.",
    ],
  ],
  examples: [
    "zot migrate --prepare disk.yaml bucket.yaml",
    "zot migrate disk.yaml bucket.yaml",
    "zot migrate bucket.yaml disk.yaml --format json",
  ],
  seeAlso: ["zot help copy", "zot help export", "docs/guides/migrate.md"],
};
