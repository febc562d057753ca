// Signing in to the interface in a real Chromium: what a stranger, a guest and a user see, where the password is, and keys.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { startWorld, type World } from "../http/world.ts";
import { eventually } from "../processes.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { accessibilityFaults } from "./axe.ts";
import { noBrowser, openBrowser, openPage } from "./browser.ts";
import { Pusher } from "./images.ts";
import { appImage } from "./sample.ts";

const password = "correct horse ü";
const basic = (name: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});

let directory: TempDirectory;
let browser: Browser;

async function startWithLogins(guests: boolean): Promise<World> {
  const file = join(directory.path, "users");
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  await Bun.write(file, `ann:${hash}\nbob:${hash}\n`);
  const world = await startWorld({
    extensions: { ui: { enable: true }, search: { enable: true } },
    http: {
      auth: { htpasswd: { path: file }, apikey: true },
      accessControl: {
        repositories: {
          "pub/**": { anonymousPolicy: guests ? ["read"] : [], defaultPolicy: ["read"] },
        },
        adminPolicy: { users: ["ann"], actions: ["read", "create", "update", "delete"] },
      },
    },
  });
  const pusher = new Pusher(world.url, basic("ann"));
  await pusher.image("pub/app", "1.0", appImage("1.0"));
  await pusher.image("secret/app", "1.0", appImage("2.0"));
  return world;
}

async function signIn(page: Page, name: string, with_ = password): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password or API key").fill(with_);
  await page.getByRole("button", { name: "Sign in" }).click();
}

describe.skipIf(noBrowser !== null)("where callers log in", () => {
  let world: World;
  beforeAll(async () => {
    directory = await tempDirectory();
    browser = await openBrowser();
    world = await startWithLogins(false);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await browser.close();
    await directory[Symbol.asyncDispose]();
  });

  test("a stranger is asked, and led on to the page that was asked for", async () => {
    await using opened = await openPage(browser, world.url);
    const { page, faults } = opened;
    await page.goto(`${world.url}/ui/r/secret/app:1.0?tab=config`);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await accessibilityFaults(page)).toEqual([]);
    }
    expect(await page.textContent("main")).not.toContain("secret");
    await signIn(page, "ann", "wrong");
    await page.getByText("That name and password do not fit.").waitFor();
    await signIn(page, "ann");
    await page.getByText("APP_VERSION").waitFor();
    expect(page.url()).toContain("tab=config");
    expect(faults).toEqual([]);
  });

  test("the password is in no storage of the browser, and a reload forgets it", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(`${world.url}/ui/`);
    await signIn(page, "ann");
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    const stored = await page.evaluate<string>(
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])",
    );
    expect(stored).not.toMatch(/ann|correct|Basic/);
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });

  test("who signs out sees nothing of before", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(`${world.url}/ui/`);
    await signIn(page, "ann");
    await page.getByRole("link", { name: "secret/app", exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await signIn(page, "bob");
    await page.getByRole("link", { name: "pub/app", exact: true }).first().waitFor();
    expect(await page.textContent("main")).not.toContain("secret");
    await page.goto(`${world.url}/ui/`);
  });

  test("a star and a bookmark put a repository under Yours, of who set them alone", async () => {
    await using opened = await openPage(browser, world.url, { width: 390 });
    const { page, faults } = opened;
    await page.goto(`${world.url}/ui/r/pub/app`);
    await signIn(page, "bob");
    await page.getByRole("button", { name: "Star: 0", pressed: false }).click();
    await page.getByRole("button", { name: "Star: 1", pressed: true }).waitFor();
    // The button by its key, wherever the focus is.
    await page.getByRole("button", { name: "Bookmark", pressed: false }).waitFor();
    await page.keyboard.press("b");
    await page.getByRole("button", { name: "Bookmark", pressed: true }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("g");
    await page.keyboard.press("h");
    const yours = page.getByRole("region", { name: "Yours" });
    await yours.getByRole("link", { name: "pub/app" }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, "ann");
    await page.getByRole("link", { name: "pub/app", exact: true }).first().waitFor();
    expect(await yours.count()).toBe(0);
    await page.locator("main").getByRole("link", { name: "pub/app", exact: true }).first().click();
    await page.getByRole("button", { name: "Star: 1", pressed: false }).waitFor();
    await page.getByRole("button", { name: "Bookmark", pressed: false }).waitFor();
    expect(faults).toEqual([]);
  });

  test("on a phone the head has two lines, and leads to every page by keys", async () => {
    await using opened = await openPage(browser, world.url, { width: 390, height: 844 });
    const { page, faults } = opened;
    await page.goto(`${world.url}/ui/`);
    await signIn(page, "ann");
    const more = page.getByRole("navigation", { name: "Pages" }).locator("summary");
    await more.waitFor();
    const head = await page.locator("header.head").boundingBox();
    expect(head?.height).toBeLessThan(104);
    for (const part of [more, page.getByRole("button", { name: "Sign out" })]) {
      const box = await part.boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? Infinity)).toBeLessThanOrEqual(390);
    }
    await more.focus();
    await page.keyboard.press("Enter");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Keys" }).waitFor({ state: "hidden" });
    await page.keyboard.press("Enter");
    const hasFocus = async (): Promise<boolean> =>
      (await page.evaluate<string>("document.activeElement.textContent")) === "Keys";
    for (let step = 0; step < 6 && !(await hasFocus()); step += 1) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/ui\/keys$/);
    await page.getByText("No keys yet").waitFor();
    expect(await more.textContent()).toBe("Keys");
    expect(faults).toEqual([]);
  });

  test("a key is made, shown once, good for docker, and revoked", async () => {
    await using opened = await openPage(browser, world.url, { width: 360 });
    const { page, faults } = opened;
    await page.goto(`${world.url}/ui/keys`);
    await signIn(page, "bob");
    await page.getByText("No keys yet").waitFor();
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Label").fill("<b>ci</b>");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Make the key" }).click();
    const key = await page.locator(".made code").textContent();
    expect(key).toMatch(/^zak_[0-9a-f]{32}$/);
    const authorization = `Basic ${Buffer.from(`bob:${key ?? ""}`).toString("base64")}`;
    const me = async () =>
      (await fetch(`${world.url}/v2/_zot/me`, { headers: { authorization } })).status;
    expect(await me()).toBe(200);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByText("<b>ci</b>").waitFor();
    expect(await page.textContent("body")).not.toContain(key ?? "zak_");
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("No keys yet").waitFor();
    // A key that was just used is remembered for a moment.
    await eventually("the key is refused", async () => (await me()) === 401);
    expect(faults).toEqual([]);
  });
});

test.skipIf(noBrowser !== null)(
  "a guest sees what everybody may, and signs in for more",
  async () => {
    directory = await tempDirectory();
    browser = await openBrowser();
    const world = await startWithLogins(true);
    try {
      await using opened = await openPage(browser, world.url);
      const { page, faults } = opened;
      await page.goto(`${world.url}/ui/`);
      await page.getByRole("link", { name: "pub/app", exact: true }).first().waitFor();
      expect(await page.textContent("main")).not.toContain("secret");
      await page.goto(`${world.url}/ui/storage`);
      await page.getByText("Takes").waitFor();
      expect(await page.textContent("main")).not.toMatch(/secret|…/);
      await page.goto(`${world.url}/ui/r/secret/app`);
      await page.locator("main").getByRole("link", { name: "Sign in" }).click();
      await signIn(page, "ann");
      await page.getByRole("link", { name: "secret/app", exact: true }).first().waitFor();
      expect(faults).toEqual([]);
    } finally {
      await world[Symbol.asyncDispose]();
      await browser.close();
      await directory[Symbol.asyncDispose]();
    }
  },
);
