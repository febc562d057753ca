// A process of its own on a file system driver's root, for tests of locks and digests across processes.
//
//     filesystem_process.ts <root> hold <id>                 holds a stage until its input ends
//     filesystem_process.ts <root> digest <id> <algorithm>   prints a stage's digest
//     filesystem_process.ts <root> work                      publishes, replaces and shares once, durably

import { systemClock } from "../../src/lib/clock.ts";
import { isAlgorithm } from "../../src/oci/digest.ts";
import { FilesystemDriver } from "../../src/storage/drivers/filesystem.ts";
import { held, sample, staged } from "./driver_samples.ts";

const [rootDirectory = "", what, id = "", algorithm = ""] = process.argv.slice(2);
const driver = new FilesystemDriver({ rootDirectory, durable: true, clock: systemClock });

if (what === "hold") {
  const stage = await held(driver, id);
  console.log("held");
  for await (const _ of Bun.stdin.stream()) continue;
  await stage.close();
} else if (what === "digest" && isAlgorithm(algorithm)) {
  const stage = await held(driver, id);
  process.stdout.write(await stage.digest(algorithm));
  await stage.close();
} else {
  await driver.prepare();
  await staged(driver, "one", sample(1000));
  const stage = await held(driver, "one");
  await stage.publish("team/published");
  await stage.discard();
  await stage.close();
  await driver.replace("team/replaced", sample(10));
  await driver.replace("team/replaced", sample(20));
  const linked = await driver.link("team/published", "other/linked");
  if (!linked) await driver.copy("team/published", "other/linked");
}
await driver.close();
