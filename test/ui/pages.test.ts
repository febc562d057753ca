// Each page of the interface in a real Chromium, of a real server with images that were pushed: what it shows, that it is
// accessible in both themes at the width of a desk and of a phone, and what it must never do.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { tarOf } from "../../scripts/image/tar.ts";
import { startWorld, type World } from "../http/world.ts";
import { accessibilityFaults } from "./axe.ts";
import { noBrowser, openBrowser, openPage } from "./browser.ts";
import { noise, Pusher } from "./images.ts";
import { eventually } from "../harness.ts";
import { provenance, sarif } from "./reports.ts";
import { appImage, pushSample } from "./sample.ts";

if (noBrowser !== null) console.log(`skipped: ${noBrowser}`);

/** Script that runs before a page is first painted; 200 ms on a machine of its own, and this one may be busy. */
const scriptMsMax = 200;

const pages: readonly (readonly [name: string, path: string, shows: string])[] = [
  ["home", "", "Lately"],
  ["found", "?q=shop", "charts/shop"],
  ["found tags", "?q=team/shop:1.1", "team/shop:1.10.0-rc.1"],
  ["a tag of a part of a name", "?q=shop:1.9.0", "team/shop:1.9.0"],
  ["nothing found", "?q=zzz", "Nothing is called “zzz”"],
  ["tags", "r/team/shop", "1.10.0-rc.1"],
  ["no repository", "r/no/such", "There is no such repository"],
  ["image", "r/team/shop:1.10.0", "COPY /out/app /app"],
  ["config", "r/team/shop:1.10.0?tab=config", "APP_VERSION"],
  ["attached", "r/team/shop:1.10.0?tab=attached", "application/spdx+json"],
  ["related", "r/library/alpine:3.22?tab=related", "team/search:0.4.0"],
  ["raw", "r/team/shop:1.10.0?tab=raw", '"schemaVersion": 2'],
  ["report", "r/reports/app:report", "2 findings"],
  ["provenance", "r/reports/app:provenance", "https://builder.example.com"],
  ["long", "r/long/text", "The beginning of"],
  ["chart", "r/charts/shop:2.1.0", "The shop on Kubernetes"],
  ["no tag", "r/team/shop:none", "none is not there"],
  ["history", "history/team/shop", "set to"],
  ["compare", "compare?a=team/shop:1.9.0&b=team/shop:1.10.0", "APP_VERSION"],
  ["files", "compare?a=team/shop:1.9.0&b=team/shop:1.10.0&tab=files", "etc/app/config.yaml"],
  ["nothing to compare", "compare", "Which two?"],
  ["no page", "nowhere", "There is no such page"],
];

const longDescription = {
  "org.opencontainers.image.description": `The beginning of ${"much that is said ".repeat(200)}`,
};

describe.skipIf(noBrowser !== null)("pages", () => {
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld({ extensions: { ui: { enable: true }, search: { enable: true } } });
    const pusher = new Pusher(world.url);
    await pushSample(pusher);
    await pusher.image("long/text", "1", { ...appImage("long"), annotations: longDescription });
    await pushReports(pusher);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await world[Symbol.asyncDispose]();
  });

  const at = (path: string): string => `${world.url}/ui/${path}`;

  test.each([...pages])("%s is what it should be, and accessible", async (_name, path, shows) => {
    await using opened = await openPage(browser, world.url);
    const { page, faults } = opened;
    await page.goto(at(path));
    await page.getByText(shows).first().waitFor();
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      // The head is drawn again once it knows the new width.
      await eventually(`nothing reaches beyond ${width} pixels`, async () => {
        const beyond = await page.evaluate<number>(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        return beyond === 0;
      });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const problems = await accessibilityFaults(page);
        expect({ width, colorScheme, problems }).toEqual({ width, colorScheme, problems: [] });
      }
    }
    expect(await page.locator("h1").count()).toBeLessThanOrEqual(1);
    expect(faults).toEqual([]);
  });

  test("is painted after little script", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(at(""));
    await page.getByText("team/shop").first().waitFor();
    const { metrics } = await session.send("Performance.getMetrics");
    const scriptS = metrics.find(({ name }) => name === "ScriptDuration")?.value ?? Infinity;
    expect(scriptS * 1000).toBeLessThan(scriptMsMax);
  });

  test("shows the other platform, its layers and its commands, by the address", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at("r/team/shop:1.10.0"));
    const size = async (): Promise<string | null> =>
      await page.locator(".figures dd").first().textContent();
    await page.getByText("COPY /out/app /app").waitFor();
    const before = await size();
    await page.getByRole("button", { name: "linux/arm64/v8" }).click();
    await page.waitForURL(/platform=linux/);
    await page.getByText("COPY /out/app /app").waitFor();
    expect(before).toContain("MiB");
    await page.getByLabel("Client").selectOption("skopeo");
    expect(await page.locator(".get code").textContent()).toContain("skopeo copy");
    await page.reload();
    await page.getByText("skopeo copy").waitFor();
    expect(
      await page.getByRole("button", { name: "linux/arm64/v8" }).getAttribute("aria-pressed"),
    ).toBe("true");
  });

  test("what is attached is opened, and packages are found in an SBOM", async () => {
    await using opened = await openPage(browser, world.url);
    const { page, faults } = opened;
    await page.goto(at("r/team/shop:1.10.0?tab=attached"));
    await page.getByRole("row", { name: /spdx/ }).getByRole("link").click();
    await page.getByText("3 packages").waitFor();
    await page.getByLabel("Find a package or licence").fill("tzd");
    await page.getByText("1 found").waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
    expect(faults).toEqual([]);
  });

  test("findings of a report are counted, and picked by severity and package", async () => {
    await using opened = await openPage(browser, world.url, { width: 390 });
    const { page, faults } = opened;
    await page.goto(at("r/reports/app:1?tab=attached"));
    await page.getByText("named, not verified").waitFor();
    await page.getByRole("link", { name: "Vulnerability report" }).click();
    await page.getByText("2 findings").waitFor();
    const rows = page.locator("tbody tr");
    expect(await rows.count()).toBe(2);
    await page.getByRole("button", { name: "Critical 1" }).click();
    expect(await rows.count()).toBe(1);
    expect(await rows.innerText()).toContain("zlib: overflow");
    await page.getByLabel("Find a package or CVE").fill("nothing like it");
    await page.getByText("0 found").waitFor();
    await page.goto(at("r/reports/app:provenance"));
    await page.getByText("Named, not verified:").waitFor();
    await page.getByText("https://git.example.com/team/shop").waitFor();
    expect(faults).toEqual([]);
  });

  test("the README and the values of a chart are read out of its archive", async () => {
    const file = (path: string, content: string | Uint8Array) => ({
      path,
      mode: 0o644,
      owner: 0,
      content: Buffer.from(content),
    });
    const archive = tarOf(
      [
        file("shop/Chart.yaml", "name: shop\n"),
        file("shop/charts/redis/README.md", "# Of another chart"),
        file("shop/big.bin", noise(700 * 1024, 3)),
        file("shop/values.yaml", "replicas: 2 # <b>bold</b>\n"),
        file("shop/README.md", "# The shop on Kubernetes\n"),
      ],
      0,
    );
    const pusher = new Pusher(world.url);
    const helm = "application/vnd.cncf.helm";
    for (const [tag, content] of [
      ["1.0.0", gzipSync(archive)],
      ["2.0.0", "no archive"],
    ] as const) {
      await pusher.artifact("charts/real", tag, {
        artifactType: `${helm}.config.v1+json`,
        contentType: `${helm}.chart.content.v1.tar+gzip`,
        config: { mediaType: `${helm}.config.v1+json`, value: { name: "real", version: tag } },
        content,
      });
    }
    await using opened = await openPage(browser, world.url);
    const { page, faults } = opened;
    await page.goto(at("r/charts/real:1.0.0"));
    await page.getByRole("button", { name: "Read them from the chart" }).click();
    await page.getByText("# The shop on Kubernetes").waitFor();
    expect(await page.getByRole("region", { name: "values.yaml" }).textContent()).toBe(
      "replicas: 2 # <b>bold</b>\n",
    );
    expect(await page.textContent("main")).not.toContain("Of another chart");
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(at("r/charts/real:2.0.0"));
    await page.getByRole("button", { name: "Read them from the chart" }).click();
    await page.getByText("The chart has neither, or is no archive.").waitFor();
    expect(faults).toEqual([]);
  });

  test("a push shows up by itself", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at(""));
    await page.getByText("team/shop").first().waitFor();
    await new Pusher(world.url).image("just/arrived", "1", appImage("1"));
    await page.getByRole("link", { name: "just/arrived:1" }).waitFor();
  });

  test("on a phone the row under a finger keeps its places, and a chart says that it is one", async () => {
    await using opened = await openPage(browser, world.url, { width: 375, height: 700 });
    const { page } = opened;
    await page.goto(at("r/charts/shop"));
    await page.getByText("Helm chart").waitFor();
    const row = page.locator("tr[data-row]").first();
    await row.hover();
    const pick = await row.locator(".pick input").boundingBox();
    const name = await row.getByRole("link").first().boundingBox();
    expect(name?.x).toBeGreaterThan((pick?.x ?? 0) + (pick?.width ?? 0));
  });

  test("versions sort as people count, and filter and order stand in the address", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at("r/team/shop?sort=version&filter=1."));
    await page.getByRole("link", { name: "1.10.0", exact: true }).waitFor();
    expect(await tagsShown(page)).toEqual(["1.10.0", "1.10.0-rc.1", "1.9.0", "1.8.0"]);
    await page.getByLabel("Filter tags").fill("rc");
    await page.waitForURL(/filter=rc/);
    expect(await tagsShown(page)).toEqual(["1.10.0-rc.1"]);
    await page.getByRole("link", { name: "1.10.0-rc.1" }).click();
    await page.getByText("Layers").first().waitFor();
    await page.goBack();
    await page.waitForURL(/filter=rc/);
    expect(await page.getByLabel("Filter tags").inputValue()).toBe("rc");
  });

  test("a tag says which others point at the same image", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at("r/team/shop"));
    const row = page
      .getByRole("row")
      .filter({ has: page.getByRole("link", { name: "latest", exact: true }) });
    await row.getByText("same as 1.10.0", { exact: true }).waitFor();
    expect(await page.getByText("same as").count()).toBe(2);
  });

  test("a tag is deleted, and taken back", async () => {
    const pusher = new Pusher(world.url);
    await pusher.image("to/delete", "1.0", appImage("one"));
    await pusher.image("to/delete", "2.0", appImage("two"));
    await using opened = await openPage(browser, world.url);
    const { page, faults } = opened;
    await page.goto(at("r/to/delete"));
    await page.getByRole("button", { name: "Delete 1.0" }).click();
    await page.getByText(/Frees .* once it is collected/).waitFor();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("Deleted to/delete:1.0").waitFor();
    await page.getByRole("link", { name: "1.0", exact: true }).waitFor({ state: "detached" });
    const gone = await fetch(`${world.url}/v2/to/delete/manifests/1.0`);
    expect(gone.status).toBe(404);
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("link", { name: "1.0", exact: true }).waitFor();
    const back = await fetch(`${world.url}/v2/to/delete/manifests/1.0`);
    expect(back.status).toBe(200);
    expect(faults).toEqual([]);
  });

  test("several tags are deleted at once, and put back from the history", async () => {
    const pusher = new Pusher(world.url);
    for (const tag of ["1", "2", "3"]) await pusher.image("to/select", tag, appImage(tag));
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at("r/to/select?sort=name"));
    await page.getByLabel("Select 1").click();
    await page.getByLabel("Select 3").click({ modifiers: ["Shift"] });
    await page.getByRole("button", { name: "Delete 3", exact: true }).first().click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("Deleted 3 tags").waitFor();
    await page.goto(at("history/to/select?tag=2"));
    await page.getByRole("button", { name: "Put back" }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Put back" }).click();
    await page.getByText("to/select:2 is back").waitFor();
    expect((await fetch(`${world.url}/v2/to/select/manifests/2`)).status).toBe(200);
  });

  test("a long description is shortened, and shown where it is asked for", async () => {
    await using opened = await openPage(browser, world.url, { width: 390 });
    const { page, faults } = opened;
    for (const path of ["r/long/text", "r/long/text:1"]) {
      await page.goto(at(path));
      const text = page.locator("p", { hasText: "The beginning of" });
      await text.waitFor();
      expect((await text.innerText()).length).toBeLessThan(320);
      await text.getByRole("button", { name: "More" }).click();
      expect((await text.innerText()).length).toBeGreaterThan(3_000);
    }
    expect(faults).toEqual([]);
  });

  test("what is no image says on the first page what it is", async () => {
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await page.goto(at(""));
    const card = page.locator("li").filter({ hasText: "charts/shop" }).first();
    await card.getByText("Helm chart").waitFor();
    await card.getByText("The shop on Kubernetes").waitFor();
  });

  test.each([[1280], [390]])("by keys from a search to an undo, at %d pixels", async (width) => {
    await new Pusher(world.url).image("by/keys", "1", appImage("keys"));
    await using opened = await openPage(browser, world.url, { width, height: 844 });
    const { page } = opened;
    await page.goto(at(""));
    await page.getByText("team/shop").first().waitFor();
    const { keyboard } = page;
    await keyboard.press("/");
    await keyboard.type("by/k");
    await keyboard.press("Enter");
    await page.getByText("Found for “by/k”").waitFor();
    await page.getByRole("link", { name: "by/keys" }).first().waitFor();
    await page.evaluate("document.activeElement.blur()");
    await keyboard.press("j");
    await keyboard.press("Enter");
    await page.waitForURL(/r\/by\/keys$/);
    await page.getByRole("button", { name: "Delete 1" }).waitFor();
    await keyboard.press("j");
    await keyboard.press("d");
    await page.getByRole("dialog").waitFor();
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await keyboard.press("d");
    await page.getByRole("dialog").waitFor();
    const hasFocus = async (): Promise<boolean> =>
      (await page.evaluate<string>("document.activeElement.textContent")) === "Delete";
    for (let step = 0; step < 6 && !(await hasFocus()); step += 1) await keyboard.press("Tab");
    await keyboard.press("Enter");
    const undo = page.getByRole("button", { name: "Undo" });
    await undo.waitFor();
    await undo.focus();
    await keyboard.press("Enter");
    await page.getByText("by/keys:1 is back").waitFor();
    await keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await keyboard.press("Escape");
    await keyboard.press("g");
    await keyboard.press("h");
    await page.getByRole("heading", { name: "Repositories" }).waitFor();
  });
});

/** Reports about an image, by tags, so that their addresses are known. */
async function pushReports(pusher: Pusher): Promise<void> {
  const subject = await pusher.image("reports/app", "1", appImage("reports"));
  const envelope = {
    payloadType: "application/vnd.in-toto+json",
    payload: Buffer.from(JSON.stringify(provenance)).toString("base64"),
    signatures: [],
  };
  for (const [tag, artifactType, value] of [
    ["report", "application/sarif+json", sarif],
    ["provenance", "application/vnd.dsse.envelope.v1+json", envelope],
  ] as const) {
    const content = JSON.stringify(value);
    await pusher.artifact("reports/app", tag, {
      artifactType,
      contentType: artifactType,
      content,
      subject,
    });
  }
}

async function tagsShown(page: Page): Promise<string[]> {
  return await page.locator("tbody td.name a").allTextContents();
}

test.skipIf(noBrowser !== null)(
  "without search, names and tags are listed all the same",
  async () => {
    await using world = await startWorld({ extensions: { ui: { enable: true } } });
    await pushSample(new Pusher(world.url));
    const browser = await openBrowser();
    try {
      await using opened = await openPage(browser, world.url);
      const { page, faults } = opened;
      await page.goto(`${world.url}/ui/?q=shop`);
      await page.getByRole("link", { name: "team/shop", exact: true }).click();
      await page.getByRole("link", { name: "1.10.0", exact: true }).click();
      await page.getByRole("tab", { name: "Related" }).click();
      await page.getByText("This registry has no search").waitFor();
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);

test.skipIf(noBrowser !== null)("an empty registry teaches the first push", async () => {
  await using world = await startWorld({ extensions: { ui: { enable: true } } });
  const browser = await openBrowser();
  try {
    await using opened = await openPage(browser, world.url, { theme: "dark" });
    const { page, faults } = opened;
    await page.goto(`${world.url}/`);
    await page.getByRole("heading", { name: "Push your first image" }).waitFor();
    expect(await page.locator(".commands").textContent()).toContain(
      `docker pull alpine && docker tag alpine ${new URL(world.url).host}/alpine && docker push`,
    );
    expect(await accessibilityFaults(page)).toEqual([]);
    await new Pusher(world.url).image("alpine", "latest", appImage("3"));
    await page.getByRole("link", { name: "alpine:latest" }).waitFor();
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
  }
});
