// The options under `extensions.metrics`, in zot's dialect; `repositoriesMax` is ours.

import * as z from "zod";
import { optionTable } from "../../lib/option.ts";
import { count, flag } from "../../lib/option_types.ts";

/** First segments of paths that the registry serves itself. */
const servedSegments = ["v2", "zot", "swagger", "livez", "readyz", "startupz"];
const pathError = 'a clean path such as "/metrics", not "/" and none that the registry serves';
const segmentPattern = /^[A-Za-z0-9._~-]+$/;

function isCleanPath(path: string): boolean {
  const [root, ...segments] = path.split("/");
  if (root !== "" || segments.length === 0 || servedSegments.includes(segments[0] ?? ""))
    return false;
  return segments.every((segment) => segmentPattern.test(segment) && !/^\.\.?$/.test(segment));
}

export const metricsOptions = {
  ...optionTable({
    enable: {
      type: flag,
      default: false,
      inSection: true,
      defaultSays: "`true` where the section is there, else `false`",
      served: true,
      applies: "restart",
      says: "Count what the registry does, and serve the figures for Prometheus.",
    },
    repositoriesMax: {
      type: count(0),
      default: 100,
      served: true,
      applies: "restart",
      says: "Repositories that the page names one by one: at the start the largest, then those that are used first; all others are counted together. `0` names none.",
    },
  }),
  prometheus: optionTable({
    path: {
      type: z
        .string({ error: pathError })
        .refine(isCleanPath, { error: pathError })
        .meta({ title: "path of a URL" }),
      default: "/metrics",
      served: true,
      applies: "restart",
      says: "Path of the page.",
    },
  }),
} as const;
