// Texts of somebody who means harm, in every place that an image has for one: shown as text, run by nobody, and no page
// is broken, slow or wide because of them. And a path of a proxy in front of the pages.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { startWorld, type World } from "../http/world.ts";
import { noBrowser, openBrowser, openPage } from "./browser.ts";
import { Pusher } from "./images.ts";
import { appImage, pushReferrers } from "./sample.ts";

const script = `<script>window.harmed = 1</script>`;
const image = `"><img src=x onerror="window.harmed = 1">`;
const texts = [script, image, "javascript:window.harmed=1", "\u202Egnp.exe", "a".repeat(20_000)];
const annotations = Object.fromEntries(
  ["title", "description", "source", "url", "licenses", "vendor"].map((name, at) => [
    `org.opencontainers.image.${name}`,
    texts[at % texts.length] ?? "",
  ]),
);
const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

/** Configs that are no configs. */
const configs: readonly (readonly [name: string, config: string])[] = [
  ["list", "[1,2,3]"],
  ["text", '"text"'],
  ["broken", '{"config":'],
  [
    "wrong",
    '{"config":{"Env":{"a":1},"Cmd":7,"Labels":["x"],"ExposedPorts":"80"},"history":"none"}',
  ],
  ["deep", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
  [
    "long",
    JSON.stringify({ history: Array.from({ length: 50_000 }, () => ({ empty_layer: true })) }),
  ],
  ["prototype", '{"__proto__":{"x":1},"config":{"Labels":{"__proto__":"y","constructor":"z"}}}'],
];

describe.skipIf(noBrowser !== null)("harm", () => {
  let world: World;
  let browser: Browser;
  let pusher: Pusher;
  beforeAll(async () => {
    world = await startWorld({ extensions: { ui: { enable: true } } });
    browser = await openBrowser();
    pusher = new Pusher(world.url);
    const wanted = appImage("1");
    const pushed = await pusher.image("harm/app", "1", {
      ...wanted,
      annotations: { ...annotations, [image]: script },
      layers: wanted.layers.map((layer, at) => ({ ...layer, command: texts[at] ?? "" })),
      config: {
        Env: texts.map((text) => `${text}=${text}`),
        Cmd: texts,
        User: script,
        WorkingDir: image,
        Labels: { ...annotations, [script]: image },
      },
    });
    await pusher.image("harm/app", "2", {
      ...wanted,
      annotations: { ...annotations, "org.opencontainers.image.description": "w".repeat(20_000) },
      config: { Env: [`A=${script}`] },
    });
    await pushReferrers(pusher, "harm/app", pushed, { [script]: image, "a b": "\u0000" });
    await pusher.artifact("harm/text", "1", {
      artifactType: "application/vnd.example.page",
      contentType: "text/html",
      content: `<html>${script}</html>`,
      annotations,
    });
    for (const [name, config] of configs) {
      const layer = await pusher.blob("harm/configs", Buffer.from("x"), types.layer);
      await pusher.manifest("harm/configs", name, {
        schemaVersion: 2,
        mediaType: types.manifest,
        config: await pusher.blob("harm/configs", Buffer.from(config), types.config),
        layers: [layer, layer],
      });
    }
  });
  afterAll(async () => {
    await browser.close();
    await world[Symbol.asyncDispose]();
  });

  test.each([
    "",
    "?q=%3Cscript%3Ewindow.harmed=1%3C/script%3E",
    "r/harm/app",
    "r/harm/app?filter=%3Cimg%20src=x%20onerror=window.harmed=1%3E",
    "r/harm/app:1",
    "r/harm/app:2",
    "r/harm/app:1?tab=config",
    "r/harm/app:1?tab=attached",
    "r/harm/app:1?tab=raw",
    "r/harm/text:1",
    "compare?a=harm/app:1&b=harm/app:2",
    "compare?a=%3Cscript%3E&b=javascript:x",
    "history/harm/app?tag=%3Cscript%3E",
    "r/%3Cimg%20src=x%20onerror=window.harmed=1%3E",
    ...configs.flatMap(([name]) => [`r/harm/configs:${name}`, `r/harm/configs:${name}?tab=config`]),
  ])("/ui/%s shows it as text", async (path) => {
    await using opened = await openPage(browser, world.url, { width: 800 });
    const { page, faults } = opened;
    await page.goto(`${world.url}/ui/${path}`);
    await page.locator("main :is(h1, h2)").first().waitFor();
    await page.waitForLoadState("networkidle");
    expect(await page.evaluate<unknown>("window.harmed")).toBeUndefined();
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(800);
    expect(await page.locator("main script, main img, main iframe").count()).toBe(0);
    const links = await page
      .locator("main a")
      .evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href));
    expect(links.filter((link) => !/^https?:/.test(link))).toEqual([]);
    expect(faults).toEqual([]);
  });
});

test.skipIf(noBrowser !== null)("below a path of a proxy everything is found", async () => {
  const proxied: { target: string } = { target: "" };
  using proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const url = new URL(request.url);
      if (!url.pathname.startsWith("/a/b/")) return new Response("elsewhere", { status: 418 });
      const headers = new Headers(request.headers);
      headers.set("x-forwarded-host", url.host);
      const target = `${proxied.target}${url.pathname.slice("/a/b".length)}${url.search}`;
      const { method } = request;
      const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
      const answer = await fetch(target, {
        method,
        headers,
        body,
        redirect: "manual",
        decompress: false,
      });
      return new Response(answer.body, answer);
    },
  });
  const base = `http://127.0.0.1:${proxy.port}/a/b`;
  await using world = await startWorld({
    extensions: { ui: { enable: true } },
    http: { externalUrl: base },
  });
  proxied.target = world.url;
  await new Pusher(world.url).image("team/app", "1", appImage("1"));
  const browser = await openBrowser();
  try {
    await using opened = await openPage(browser, base);
    const { page, faults } = opened;
    await page.goto(`${base}/`);
    await page.getByRole("link", { name: "team/app", exact: true }).first().click();
    await page.getByRole("link", { name: "1", exact: true }).click();
    await page.getByText("COPY /out/app /app").waitFor();
    expect(page.url()).toBe(`${base}/ui/r/team/app:1`);
    await page.reload();
    await page.getByText("COPY /out/app /app").waitFor();
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
  }
});
