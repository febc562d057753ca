// The pages for who runs the registry: the map of storage, the plan of retention and collection, and the mirrors.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { startWorld, type World } from "../http/world.ts";
import { accessibilityFaults } from "./axe.ts";
import { noBrowser, openBrowser, openPage, type Look } from "./browser.ts";
import { Pusher } from "./images.ts";
import { appImage, pushSample } from "./sample.ts";

const config = {
  extensions: { ui: { enable: true }, sync: { mirrors: ["docker.io", "ghcr.io"] } },
  storage: {
    // The job would carry out the plan before a page does.
    gc: false,
    retention: {
      policies: [
        {
          repositories: ["team/**"],
          keepTags: [{ patterns: [".*"], mostRecentlyPushedCount: 1 }],
        },
      ],
    },
  },
};
const looks: readonly Look[] = [
  { width: 1280, theme: "light" },
  { width: 360, theme: "dark" },
];
const timeoutMs = 120_000;

if (noBrowser !== null) console.log(noBrowser);

describe.skipIf(noBrowser !== null)("the pages for who runs the registry", () => {
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(config);
    const pusher = new Pusher(world.url);
    await pushSample(pusher);
    await pusher.image("tools/builder", null, appImage("nameless"));
    browser = await openBrowser();
  }, timeoutMs);
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  const open = async (path: string, look: Look = {}) => {
    const opened = await openPage(browser, world.url, look);
    await opened.page.goto(`${world.url}/ui/${path}`);
    return opened;
  };

  const pages: readonly (readonly [path: string, shown: string])[] = [
    ["storage", "tools/"],
    ["storage?at=team/", "payments"],
    ["storage?at=team/shop", "1.10.0-rc.1"],
    ["plan", "team/payments:0.3.1"],
    ["plan?of=team/shop", "latest"],
    ["mirrors", "ghcr.io"],
    ["r/team/shop", "goes"],
    ["untagged/tools/builder", "stays"],
    ["untagged/team/shop", "Everything here has a name"],
  ];
  for (const look of looks) {
    for (const [path, shown] of pages) {
      test(
        `${path} is accessible at ${look.width} pixels in ${look.theme}`,
        async () => {
          await using opened = await open(path, look);
          const { page, faults } = opened;
          await page.locator("main").getByText(shown, { exact: true }).first().waitFor();
          expect(await accessibilityFaults(page)).toEqual([]);
          const width = await page.evaluate("document.documentElement.scrollWidth");
          expect(width).toBeLessThanOrEqual(look.width ?? 0);
          expect(faults).toEqual([]);
        },
        timeoutMs,
      );
    }
  }

  test(
    "the map leads from the whole to a tag, and back",
    async () => {
      await using opened = await open("storage");
      const { page } = opened;
      await page.locator(".tiles").getByRole("link", { name: "team/" }).click();
      await page.getByRole("heading", { name: "team/", level: 1 }).waitFor();
      await page.locator(".tiles").getByRole("link", { name: "shop" }).click();
      await page.getByRole("heading", { name: "team/shop", level: 1 }).waitFor();
      const row = page.getByRole("row").filter({ hasText: "1.8.0" });
      // What 1.8.0 alone has, of both platforms: the rest is shared with the others.
      expect(await row.locator("td").nth(3).innerText()).toMatch(/^1\.\d MiB$/);
      const same = page.getByRole("row").filter({ hasText: "latest" });
      expect(await same.locator("td").nth(3).innerText()).toBe("0 B");
      await page.goBack();
      await page.getByRole("heading", { name: "team/", level: 1 }).waitFor();
    },
    timeoutMs,
  );

  test(
    "tags say that they go, and lead to the rule that decides",
    async () => {
      await using opened = await open("r/team/shop");
      const { page, faults } = opened;
      const row = page.getByRole("row").filter({ hasText: "1.8.0" });
      const goes = row.getByRole("link", { name: "goes" });
      expect(await goes.getAttribute("title")).toBe("didn't meet any tag retention rule");
      const stays = page
        .getByRole("row")
        .filter({ has: page.getByRole("link", { name: "latest", exact: true }) });
      expect(await stays.getByText("goes").count()).toBe(0);
      await goes.click();
      await page.getByText("What becomes of each of its tags").waitFor();
      await page.goto(`${world.url}/ui/r/team/shop:1.8.0`);
      await page.locator(".figures").getByText("goes").waitFor();
      expect(faults).toEqual([]);
    },
    timeoutMs,
  );

  test(
    "a manifest without a tag is deleted, taken back, and brought back from the history",
    async () => {
      const { digest } = await new Pusher(world.url).image("tools/loose", null, appImage("loose"));
      await using opened = await open("untagged/tools/loose");
      const { page, faults } = opened;
      const short = digest.slice("sha256:".length, "sha256:".length + 12);
      const status = async (): Promise<number> =>
        (await world.send("GET", `/v2/tools/loose/manifests/${digest}`)).status;
      const remove = async (): Promise<void> => {
        await page.getByRole("button", { name: `Delete ${short}` }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
        await page.getByText("Everything here has a name").waitFor();
        expect(await status()).toBe(404);
      };
      await remove();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByRole("link", { name: short }).waitFor();
      expect(await status()).toBe(200);
      await remove();
      await page.getByRole("link", { name: "History" }).click();
      await page.getByRole("button", { name: "Bring back" }).first().click();
      await page.getByText(`${short} is back`).last().waitFor();
      expect(await status()).toBe(200);
      expect(faults).toEqual([]);
    },
    timeoutMs,
  );

  test(
    "the plan says why, leaves out what somebody unticks, and removes the rest",
    async () => {
      await using opened = await open("plan");
      const { page, faults } = opened;
      await page.getByLabel("Remove team/shop:1.9.0").uncheck();
      expect(await page.locator("main").innerText()).toContain(
        "didn't meet any tag retention rule",
      );
      await page.getByRole("button", { name: "Remove", exact: true }).click();
      const dialog = page.getByRole("dialog");
      expect(await dialog.innerText()).toContain("can be taken back for 1 day");
      await dialog.getByRole("button", { name: "Remove", exact: true }).click();
      await page.getByText("4 entries removed.").waitFor();
      const answer = await world.send("GET", "/v2/team/shop/tags/list");
      expect(JSON.parse(Buffer.from(answer.body).toString())).toEqual({
        name: "team/shop",
        tags: ["1.9.0", "latest"],
      });
      await page.getByLabel("Remove team/shop:1.9.0").waitFor();
      expect(faults).toEqual([]);
    },
    timeoutMs,
  );
});
