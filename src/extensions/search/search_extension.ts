/**
 * Search as an extension: the primary summarises what is pushed, and what was there before, in the background; every
 * worker answers queries from the summaries.
 */
import type { Reply } from "../../http/endpoint.ts";
import { jsonReply } from "../../http/reply.ts";
import type { DiscoveredExtension } from "../../api/app.ts";
import type { Extension } from "../extension.ts";
import { searchEndpoints, searchPaths, type SearchHandlers } from "./endpoints.ts";
import { QueryEngine } from "./execute_query.ts";
import { fillJob, fillJobName, fillWork } from "./fill.ts";
import { followerName, searchFollower } from "./follow.ts";
import { lookAtWork } from "./look_at.ts";
import { managementInfo } from "./mgmt.ts";
import { getProgress } from "./progress.ts";
import { pulledJobName, PulledRepositories } from "./pulled.ts";
import { RepositoryIndex } from "./repository_index.ts";
import { getSearch, postSearch } from "./search_endpoint.ts";
import { Sights } from "./sight.ts";
import { putPreference } from "./user_preferences.ts";

/** As zot's clients look for it. */
const discovered: DiscoveredExtension = {
  name: "_zot",
  url: "https://github.com/project-zot/zot/blob/main/pkg/extensions/_zot.md",
  description: "Search of images and repositories, logins, and what users prefer",
  endpoints: Object.values(searchPaths),
};

const unanswered = (): Promise<Reply> => Promise.resolve(jsonReply(200, {}));
const described: SearchHandlers = {
  get: unanswered,
  post: unanswered,
  management: unanswered,
  progress: unanswered,
  prefer: unanswered,
};

export const searchExtension: Extension = {
  name: "search",
  jobNames: [fillJobName, pulledJobName],
  followerNames: [followerName],
  heavyWork: [lookAtWork, fillWork],

  endpoints({ extensions: { search } }) {
    return search.enable ? searchEndpoints(described) : [];
  },

  discovers({ extensions: { search } }) {
    return search.enable ? discovered : null;
  },

  openPrimary({ config }) {
    if (!config.extensions.search.enable) return null;
    const pulled = new PulledRepositories();
    return {
      jobs: (registry, _stores, heavy) => [fillJob(registry, heavy), pulled.job(registry)],
      commits: (next) => pulled.noting(next),
      follows: (registry, heavy) => [searchFollower(registry, heavy)],
    };
  },

  openWorker({ config, report }) {
    if (!config.extensions.search.enable) return null;
    const info = managementInfo(config);
    return {
      endpoints: (registry) => {
        const index = new RepositoryIndex(registry.metadata);
        const sights = new Sights(index);
        const engine = new QueryEngine((error) =>
          report("error", "a search failed", { error: String(error) }),
        );
        const parts = { engine, sights };
        return searchEndpoints({
          get: (call, app) => getSearch(call, app, parts),
          post: (call, app) => postSearch(call, app, parts),
          management: async () => jsonReply(200, info),
          progress: (call, app) => getProgress(call, app, index),
          prefer: putPreference,
        });
      },
    };
  },
};
