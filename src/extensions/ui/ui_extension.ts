/**
 * The web interface as an extension: its pages below `/ui/`, which talk to the API of this registry as anybody does.
 */
import packageJson from "../../../package.json" with { type: "json" };
import type { App, Page } from "../../api/app.ts";
import type { RegistryConfig } from "../../config/schema.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import type { Extension } from "../extension.ts";
import { interfaceEndpoints } from "./endpoints.ts";
import { InterfaceFiles } from "./interface_files.ts";
import { interfaceProblem } from "./interface_pack.ts";
import type { InterfaceSettings } from "./page.ts";

const page: Page = { name: "Web interface", path: "/ui/", isStart: true };

function rowsOf(config: RegistryConfig, files: InterfaceFiles): readonly Endpoint<App>[] {
  return interfaceEndpoints({ files, settings: settingsOf(config) });
}

function settingsOf({ http, storage, extensions }: RegistryConfig): InterfaceSettings {
  return {
    version: packageJson.version,
    undoWindowMs: storage.undo.window,
    hasKeys: http.auth.apikey,
    hasMirrors: extensions.sync.enable,
    hasSearch: extensions.search.enable,
  };
}

export const uiExtension: Extension = {
  name: "ui",

  endpoints(config) {
    return config.extensions.ui.enable ? rowsOf(config, new InterfaceFiles(() => undefined)) : [];
  },

  page({ extensions: { ui } }) {
    return ui.enable && interfaceProblem() === null ? page : null;
  },

  openPrimary({ config, report }) {
    const problem = config.extensions.ui.enable ? interfaceProblem() : null;
    if (problem !== null) report("warn", `extensions.ui: ${problem}`);
    return null;
  },

  openWorker({ config, report }) {
    if (!config.extensions.ui.enable) return null;
    const files = new InterfaceFiles((problem) => report("warn", `extensions.ui: ${problem}`));
    return { endpoints: () => rowsOf(config, files) };
  },
};
