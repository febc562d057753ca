/**
 * Makes the root directory and claims it for this server, once it and the files that callers are known by can be
 * believed.
 */
import type { Config } from "../config/schema.ts";
import type { Log } from "../lib/log.ts";
import { checkSettings, fileWarnings } from "../settings.ts";
import { otherRegistryAdvice } from "../storage/other_registry.ts";
import { claimRoot, makeRoot, type Claim } from "../storage/root_lock.ts";
import { checkRootTrust } from "../storage/root_trust.ts";

/** Tells what is unwise. @throws with one line for the operator. */
export async function openRoot(config: Config, log: Log): Promise<Claim> {
  const { rootDirectory, shared, commit } = config.storage;
  // Before the key of tokens is put there: whoever makes the directory has to flush its name.
  makeRoot(rootDirectory);
  const warnings = [...checkRootTrust(rootDirectory), ...fileWarnings(config)];
  for (const warning of warnings) log.warn(warning);
  // A file that callers cannot be known by stops the start, before workers find out one by one.
  await checkSettings(config, log);
  const claim = claimRoot(rootDirectory, shared ? "shared" : "alone");
  const advice = otherRegistryAdvice(rootDirectory);
  if (advice !== null) log.warn(advice);
  if (!commit) log.warn("storage.commit is false: a push that was acknowledged can be lost");
  return claim;
}
