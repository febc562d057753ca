// Uploads that any replica goes on with: the contracts of stores (test/contracts/stores.ts), by workers of one machine and
// by machines that share nothing.

import { manualClock } from "../../lib/clock.ts";
import { objectsIn } from "../../../test/contracts/object_stores.ts";
import { storesContract } from "../../../test/contracts/stores.ts";
import { memoryDirectory } from "../../../test/memory_directory.ts";
import { MemoryObjects } from "./memory_objects.ts";

for (const machines of ["one machine", "machines that share nothing"]) {
  storesContract(
    `objects, ${machines}`,
    async () => {
      const directory = await memoryDirectory("zot-shared");
      const moved = manualClock();
      const clock = { ...moved, now: () => Date.now() + moved.now() };
      const store = new MemoryObjects({ clock });
      const opened = objectsIn(`${directory.path}/1`, store, clock, { isShared: true });
      const openings = [opened.open()];
      const places = [1, 2, 3, 4].map((place) => `${directory.path}/${place}`);
      for (const place of places) {
        const opening = opened.openAt(place);
        await opening.prepare();
        await opening.close();
      }
      await store.put("registry.json", new Uint8Array([1]));
      return {
        stores: openings[0]!,
        comparesBytes: false,
        clock,
        another: () => {
          const place = machines === "one machine" ? 0 : openings.length;
          const opening = opened.openAt(places[place]!);
          openings.push(opening);
          return opening;
        },
        elsewhere: null,
        [Symbol.asyncDispose]: async () => {
          for (const opening of openings) await opening.close();
          await opened.metadata.close();
          await directory[Symbol.asyncDispose]();
        },
      };
    },
    { follows: false },
  );
}
