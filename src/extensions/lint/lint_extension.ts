/** Rules for what is pushed, as an extension: each worker asks them about each manifest. */
import type { Extension } from "../extension.ts";
import { mandatoryAnnotationsCheck } from "./mandatory_annotations.ts";

export const lintExtension: Extension = {
  name: "lint",

  openWorker({ config, report }) {
    const { enable, ...rules } = config.extensions.lint;
    if (!enable || rules.mandatoryAnnotations.length === 0) return null;
    return { checksPush: (registry) => mandatoryAnnotationsCheck(registry, rules, report) };
  },
};
