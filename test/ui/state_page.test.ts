// The page of the registry's state: damage that checks found with the tags that need it, collection, search, mirrors.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startWorld, type World } from "../http/world.ts";
import { eventually } from "../processes.ts";
import { accessibilityFaults } from "./axe.ts";
import { noBrowser, openBrowser, openPage } from "./browser.ts";
import { Pusher } from "./images.ts";
import { appImage } from "./sample.ts";

const config = {
  extensions: {
    ui: { enable: true },
    search: { enable: true },
    scrub: { interval: "2h" },
    sync: { mirrors: ["docker.io"] },
  },
};
const timeoutMs = 120_000;

if (noBrowser !== null) console.log(noBrowser);

/** Changes one byte of an image's configuration, as a disk does. */
async function damageConfig(world: World, repository: string, tag: string): Promise<void> {
  const { body } = await world.send("GET", `/v2/${repository}/manifests/${tag}`);
  const { config: found } = JSON.parse(Buffer.from(body).toString()) as {
    config: { digest: string };
  };
  const hex = found.digest.slice("sha256:".length);
  const file = await open(join(world.rootDirectory, repository, "blobs/sha256", hex), "r+");
  await file.write("X", 3);
  await file.close();
}

describe.skipIf(noBrowser !== null)("the page of the registry's state", () => {
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(config);
    const pusher = new Pusher(world.url);
    await pusher.image("team/shop", "1.0", appImage("1.0"));
    await pusher.image("team/search", "2.0", appImage("2.0"));
    await damageConfig(world, "team/shop", "1.0");
    await world.restart();
    await eventually("a round of checks has ended", () =>
      world.lines.some((line) => line["msg"] === "a round of checks has ended"),
    );
    browser = await openBrowser();
  }, timeoutMs);
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  for (const [width, theme] of [
    [1280, "light"],
    [390, "dark"],
  ] as const) {
    test(
      `tells damage by tag, and how far everything is, at ${width} pixels in ${theme}`,
      async () => {
        await using opened = await openPage(browser, world.url, { width, theme });
        const { page, faults } = opened;
        await page.goto(`${world.url}/ui/state`);
        const row = page.getByRole("row").filter({ hasText: "team/shop" });
        await row.getByRole("link", { name: "1.0" }).waitFor();
        expect(await row.innerText()).toContain("other bytes");
        expect(await page.locator("main").innerText()).not.toContain("team/search");
        await page.getByText("complete", { exact: true }).waitFor();
        await page.getByText("Nothing was removed yet.").waitFor();
        await page.getByText("docker.io").waitFor();
        await page.getByText(/^The last \d/).click();
        await page.getByRole("cell", { name: "done" }).first().waitFor();
        expect(await accessibilityFaults(page)).toEqual([]);
        const scrolled = await page.evaluate<number>("document.documentElement.scrollWidth");
        expect(scrolled).toBeLessThanOrEqual(width);
        await row.getByRole("link", { name: "1.0" }).click();
        await page.waitForURL(/r\/team\/shop:1\.0$/);
        expect(faults).toEqual([]);
      },
      timeoutMs,
    );
  }
});
