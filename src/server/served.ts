/**
 * What a configuration serves and does: every endpoint and every job, those of extensions included, by name.
 */
import packageJson from "../../package.json" with { type: "json" };
import type { App } from "../api/app.ts";
import { apiDocument } from "../api/document.ts";
import { endpoints } from "../api/endpoints.ts";
import type { RegistryConfig } from "../config/schema.ts";
import { extensions } from "../extensions/extensions.ts";
import type { ExtensionParts } from "../extensions/extension.ts";
import { extensionEndpoints } from "../extensions/open_extensions.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { Clock } from "../lib/clock.ts";
import { registryJobNames } from "../registry/jobs.ts";
import type { Report } from "../registry/registry.ts";

/** What extensions are opened with. */
export function extensionParts(
  config: RegistryConfig,
  clock: Clock,
  report: Report,
): ExtensionParts {
  const jobs = [...registryJobNames, ...extensions.flatMap(({ jobNames = [] }) => jobNames)];
  return { config, clock, report, served: { endpoints: servedEndpoints(config), jobs } };
}

function servedEndpoints(config: RegistryConfig): readonly Endpoint<App>[] {
  return [...endpoints, ...extensionEndpoints(extensions, config)];
}

/** The OpenAPI document of what a server with this configuration, or with the defaults, serves, as JSON text. */
export function openApiText(config: RegistryConfig | null = null): string {
  const rows = config === null ? endpoints : servedEndpoints(config);
  return JSON.stringify(apiDocument([...rows], packageJson.version));
}
