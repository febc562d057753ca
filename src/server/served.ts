/**
 * What a configuration serves and does: every endpoint and every job, those of extensions included, by name.
 */
import packageJson from "../../package.json" with { type: "json" };
import type { App } from "../api/app.ts";
import { apiDocument } from "../api/document.ts";
import { endpoints } from "../api/endpoints.ts";
import type { RegistryConfig } from "../config/schema.ts";
import { extensions } from "../extensions/extensions.ts";
import type { Extension, ExtensionParts } from "../extensions/extension.ts";
import {
  extensionEndpoints,
  followerNamesOf,
  jobNamesOf,
  mirroredHostsOf,
} from "../extensions/open_extensions.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { MirroredHost } from "../lib/mirror_clients.ts";
import { registryJobNames } from "../registry/jobs.ts";

/** What extensions are opened with. */
export function extensionParts(
  table: readonly Extension[],
  parts: Pick<ExtensionParts, "config" | "clock" | "report">,
): ExtensionParts {
  const jobs = [...registryJobNames, ...jobNamesOf(table), ...followerNamesOf(table)];
  return { ...parts, served: { endpoints: servedEndpoints(parts.config, table), jobs } };
}

function servedEndpoints(
  config: RegistryConfig,
  table: readonly Extension[],
): readonly Endpoint<App>[] {
  return [...endpoints, ...extensionEndpoints(table, config)];
}

/** The OpenAPI document of what a server with this configuration, or with the defaults, serves, as JSON text. */
export function openApiText(
  config: RegistryConfig | null = null,
  table: readonly Extension[] = extensions,
): string {
  const rows = config === null ? endpoints : servedEndpoints(config, table);
  return JSON.stringify(apiDocument([...rows], packageJson.version));
}

/** The upstreams that a server with this configuration mirrors when somebody pulls. */
export function mirroredBy(config: RegistryConfig): readonly MirroredHost[] {
  return mirroredHostsOf(extensions, config);
}
