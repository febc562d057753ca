/**
 * Makes the place of a registry and claims it for this server, once it and the files that callers are known by can be
 * believed.
 */
import type { RegistryConfig } from "../config/schema.ts";
import type { Log } from "../lib/log.ts";
import { checkSettings, fileWarnings } from "../settings.ts";
import type { Root } from "./root.ts";

/** Tells what is unwise. @throws with one line for the operator. */
export async function openRoot(
  config: RegistryConfig,
  root: Root,
  log: Log,
): Promise<{ release(): void }> {
  // Before the key of tokens is put there: whoever makes the directory has to flush its name.
  const warnings = [...root.make(), ...fileWarnings(config)];
  for (const warning of warnings) log.warn(warning);
  // A file that callers cannot be known by stops the start, before workers find out one by one.
  await checkSettings(config, log);
  return root.claim(log);
}
