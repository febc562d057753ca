/** What a background job, and heavy work, of the registry or an extension is: a job whose context is the registry. */
import type { HeavyWork } from "../jobs/heavy_work.ts";
import type { Job } from "../jobs/job.ts";
import type { Registry } from "./registry.ts";

export type RegistryJob = Job<Registry>;
/** Heavy work is given the registry of the process that runs it. */
export type RegistryWork<Argument, Result> = HeavyWork<Registry, Argument, Result>;
