// An extension with one of everything: a page, a job, a follower of the feed. It remembers what it was handed, so that
// tests see what a server does with an extension.

import type { Extension } from "../../src/extensions/extension.ts";
import type { FeedRecord } from "../../src/metadata/metadata.ts";

export const toyPath = "/toy";

export interface Toy {
  readonly extension: Extension;
  /** Records of the feed as they came, those that came twice too. */
  readonly took: FeedRecord[];
  /** How often its job ran. */
  runs: number;
  /** Fails after it took something, as often as this says: before the cursor of the follower moves. */
  failing: number;
}

export function openToy(): Toy {
  const toy: Toy = {
    took: [],
    runs: 0,
    failing: 0,
    extension: {
      name: "toy",
      jobNames: ["count-toys"],
      followerNames: ["toys"],
      page: () => ({ name: "Toys", path: toyPath }),
      endpoints: () => [toyEndpoint(() => "")],
      openPrimary: () => ({
        jobs: () => [
          {
            name: "count-toys",
            everyMs: 60_000,
            followsCommits: false,
            lease: null,
            run: async () => {
              toy.runs += 1;
              return null;
            },
          },
        ],
        follows: () => [
          {
            name: "toys",
            from: "start",
            take: async (records) => {
              toy.took.push(...records);
              if (toy.failing === 0) return;
              toy.failing -= 1;
              throw new Error("the toy is broken");
            },
          },
        ],
      }),
      openWorker: () => ({
        endpoints: () => [toyEndpoint(() => toy.took.map(({ tag }) => `${tag}\n`).join(""))],
      }),
    },
  };
  return toy;
}

type Row = ReturnType<NonNullable<Extension["endpoints"]>>[number];

function toyEndpoint(text: () => string): Row {
  return {
    name: "toy.get",
    spec: null,
    methods: ["GET", "HEAD"],
    path: toyPath,
    needs: "none",
    body: "none",
    answers: [
      {
        status: 200,
        says: "Tags in the order of their pushes.",
        content: [{ types: ["text/plain"], schema: { type: "string" } }],
      },
    ],
    errors: [],
    says: "Read the tags that the toy was told of",
    run: async () => ({
      status: 200,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: text(),
    }),
  };
}
