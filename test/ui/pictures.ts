// Takes the pictures of the guide to the interface, of a registry with the sample in it:
//
//     scripts/bun test/ui/pictures.ts [name…]

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startWorld } from "../http/world.ts";
import { noBrowser, openBrowser, openPage, type Look } from "./browser.ts";
import { Pusher } from "./images.ts";
import { pushSample } from "./sample.ts";
import { smallPng } from "./small_png.ts";

const directory = join(import.meta.dir, "../../docs/images");
/** By this name the pages call the registry. */
const host = "registry.example.com";

interface Picture extends Look {
  readonly name: string;
  readonly path: string;
  /** It is taken when this is shown. */
  readonly shows: string;
}

const pictures: readonly Picture[] = [
  { name: "home", path: "", shows: "Lately" },
  { name: "tags", path: "r/team/shop?sort=version", shows: "1.10.0-rc.1" },
  { name: "image", path: "r/team/shop:1.10.0", shows: "COPY /out/app /app", theme: "dark" },
  { name: "compare", path: "compare?a=team/shop:1.9.0&b=team/shop:1.10.0", shows: "APP_VERSION" },
  { name: "storage", path: "storage", shows: "On the disk" },
  {
    name: "phone",
    path: "r/team/shop:1.10.0",
    shows: "COPY /out/app /app",
    width: 360,
    height: 720,
  },
  { name: "state", path: "state", shows: "complete" },
];

if (noBrowser !== null) throw new Error(noBrowser);
const wanted = Bun.argv.slice(2);
await mkdir(directory, { recursive: true });
await using world = await startWorld({
  extensions: { ui: { enable: true }, search: { enable: true }, scrub: { interval: "2h" } },
});
await pushSample(new Pusher(world.url));
// The first round of checks has something to read.
await world.restart();
const browser = await openBrowser();
for (const { name, path, shows, ...look } of pictures) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await using opened = await openPage(browser, world.url, { height: 760, ...look });
  const { page } = opened;
  // The pages call the registry by the name in the address.
  await page.route(`http://${host}/**`, async (route) => {
    const { pathname, search } = new URL(route.request().url());
    await route.fulfill({
      response: await route.fetch({ url: `${world.url}${pathname}${search}` }),
    });
  });
  await page.goto(`http://${host}/ui/${path}`);
  await page.getByText(shows).first().waitFor();
  await page.waitForLoadState("networkidle");
  const png = smallPng(await page.screenshot());
  await writeFile(join(directory, `interface-${name}.png`), png);
  console.log(`interface-${name}.png  ${(png.length / 1000).toFixed(1)} kB`);
}
await browser.close();
