// THE list of scenarios, in the order in which they run. The order of groups is that of `groups`.
import { checkSuite, groups, type Named, type Scenario } from "../suite.ts";
import { baseScenarios } from "./base.ts";
import { catalogScenarios } from "./catalog.ts";
import { contentScenarios } from "./content.ts";
import { deletionScenarios } from "./deletion.ts";
import { errorScenarios } from "./errors.ts";
import { existingScenarios } from "./existing.ts";
import { grammarScenarios } from "./grammar.ts";
import { headerScenarios } from "./headers.ts";
import { integrityScenarios } from "./integrity.ts";
import { loginScenarios } from "./login.ts";
import { manifestPullScenarios } from "./manifest_pull.ts";
import { manifestPushScenarios } from "./manifest_push.ts";
import { manifestRefusalScenarios } from "./manifest_refusals.ts";
import { mountScenarios } from "./mount.ts";
import { pullBlobScenarios } from "./pull_blob.ts";
import { pushBlobScenarios } from "./push_blob.ts";
import { referrersScenarios } from "./referrers.ts";
import { tagParameterScenarios } from "./tag_parameters.ts";
import { tagScenarios } from "./tags.ts";
import { uploadScenarios } from "./upload.ts";
import { uploadFaultScenarios } from "./upload_faults.ts";
import { uploadOrderScenarios } from "./upload_order.ts";

/**
 * Every scenario. Rows hold the state of one run, so a run makes its own; `seed` (lower-case letters
 * and digits) makes its content and names differ from those of other runs. Of scenarios that are not
 * wanted those are missing whose content is costly to make.
 */
export function allScenarios(
  seed: string,
  wanted: (scenario: Named) => boolean = () => true,
): Scenario[] {
  const scenarios = [
    ...baseScenarios(),
    ...existingScenarios(),
    ...pushBlobScenarios(),
    ...uploadScenarios(),
    ...uploadOrderScenarios(),
    ...uploadFaultScenarios(),
    ...pullBlobScenarios(),
    ...mountScenarios(),
    ...contentScenarios(seed, wanted),
    ...manifestPushScenarios(),
    ...manifestPullScenarios(),
    ...tagParameterScenarios(),
    ...manifestRefusalScenarios(),
    ...tagScenarios(),
    ...referrersScenarios(),
    ...deletionScenarios(),
    ...grammarScenarios(),
    ...errorScenarios(),
    ...headerScenarios(),
    ...catalogScenarios(),
    ...loginScenarios(),
    ...integrityScenarios(),
  ];
  checkSuite(scenarios);
  const order = Object.keys(groups);
  return scenarios.sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group));
}
