// Stories of a server that starts and stops, as the health endpoints tell them.

import type { Scene, Step, Story } from "../row.ts";

function probe(name: "live" | "ready" | "startup", status: 200 | 503, text: string): Step {
  return {
    send: `GET /${name}z`,
    endpoint: `health.${name}`,
    answer: status,
    has: {
      "content-type": "text/plain",
      ...(status === 503 ? { "x-request-id": /^test-/ } : {}),
    },
    gives: text,
  };
}

/** Runs the steps in a state of the server, and puts it back. */
async function during(
  scene: Scene,
  state: { readonly started: boolean; readonly stopping: boolean; readonly problem?: string },
  steps: readonly Step[],
): Promise<void> {
  const { health } = scene.world;
  Object.assign(health, state);
  try {
    for (const step of steps) await scene.step(step);
  } finally {
    Object.assign(health, { started: true, stopping: false, problem: null });
  }
}

const starting = "starting: layouts are being compared with the facts\n";

export const healthStories: readonly Story[] = [
  {
    rule: "A server that starts is alive and not ready yet",
    source: "ours",
    covers: [
      ["health.live", 200],
      ["health.ready", 503],
      ["health.startup", 503],
    ],
    run: (scene) =>
      during(scene, { started: false, stopping: false }, [
        probe("live", 200, "ok\n"),
        probe("ready", 503, starting),
        probe("startup", 503, starting),
      ]),
  },
  {
    rule: "A server that stops is alive and not ready any more",
    source: "ours",
    covers: [["health.ready", 503]],
    run: (scene) =>
      during(scene, { started: true, stopping: true }, [
        probe("live", 200, "ok\n"),
        probe("ready", 503, "stopping\n"),
        probe("startup", 200, "ok\n"),
      ]),
  },
  {
    rule: "A server whose root cannot be written is alive, says why it is not ready, and was started",
    source: "ours",
    covers: [["health.ready", 503]],
    run: (scene) =>
      during(scene, { started: true, stopping: false, problem: "EROFS: read-only file system" }, [
        probe("live", 200, "ok\n"),
        probe("ready", 503, "not ready: EROFS: read-only file system\n"),
        probe("startup", 200, "ok\n"),
      ]),
  },
];
