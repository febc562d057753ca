// The three kinds of places against their contract.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  imagePlaceContract,
  testRetries,
  type ContractPlace,
} from "../../test/contracts/image_places.ts";
import { serveRegistry } from "../../test/served_registry.ts";
import { tempDirectory } from "../../test/temp.ts";
import { openSource, openTarget } from "./open_place.ts";
import { parsePlaceName, type PlaceName } from "./place_name.ts";

const options = { retries: testRetries, client: {} };

/** Where what is put comes from is memory, and no place with a name. */
const elsewhere = parsePlaceName("oci:elsewhere");

function placeAt(name: PlaceName): Pick<ContractPlace, "source" | "target"> {
  return {
    source: () => openSource(name, options),
    target: () => openTarget(name, { ...options, source: elsewhere, isDryRun: false }),
  };
}

imagePlaceContract("a registry", async () => {
  const served = await serveRegistry();
  const name = parsePlaceName(`${served.url}/team/app`);
  return {
    ...placeAt(name),
    leftovers: async () => [],
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
});

imagePlaceContract("a layout in a directory", async () => {
  const directory = await tempDirectory();
  const layout = join(directory.path, "layout");
  return {
    ...placeAt(parsePlaceName(`oci:${layout}`)),
    leftovers: async () => {
      const names = await readdir(layout, { recursive: true });
      return names.filter((name) => /zot-copy|\.\d+$/.test(name));
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});

imagePlaceContract("a layout in an archive", async () => {
  const directory = await tempDirectory();
  return {
    ...placeAt(parsePlaceName(`oci-archive:${join(directory.path, "images.tar")}`)),
    leftovers: async () => {
      const names = await readdir(directory.path);
      return names.filter((name) => name !== "images.tar");
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});
