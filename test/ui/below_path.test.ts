// The interface behind a real nginx that serves it below a path, by the example in examples/nginx: pages, what they
// load, and clients that know no path.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import {
  eventually,
  freePort,
  packageDirectory,
  requireTool,
  startService,
  type Service,
} from "../harness.ts";
import { startWorld, type World } from "../http/world.ts";
import { nginxAround } from "../nginx.ts";
import { tempDirectory, type TempDirectory } from "../temp.ts";
import { noBrowser, openBrowser, openPage } from "./browser.ts";
import { Pusher } from "./images.ts";
import { appImage } from "./sample.ts";

const isHere = requireTool("nginx");

/** The example, without TLS, in front of this server. */
async function configOf(port: number, upstream: string): Promise<string> {
  const text = await Bun.file(join(packageDirectory, "examples/nginx/zot_below_path.conf")).text();
  return text
    .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
    .replace("server_name example.com;", "server_name 127.0.0.1;")
    .replace(/^ *ssl_.*\n/gm, "")
    .replaceAll("http://127.0.0.1:8080", upstream);
}

describe.skipIf(noBrowser !== null || !isHere)("below a path of nginx", () => {
  let directory: TempDirectory;
  let world: World;
  let browser: Browser;
  let nginx: Service;
  let origin: string;
  beforeAll(async () => {
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    world = await startWorld({
      http: { externalUrl: `${origin}/registry`, trustedProxies: ["127.0.0.1"] },
      extensions: { ui: { enable: true }, search: { enable: true } },
    });
    directory = await tempDirectory();
    await writeFile(join(directory.path, "zot.conf"), await configOf(port, world.url));
    const main = join(directory.path, "nginx.conf");
    await writeFile(main, nginxAround("zot.conf", directory.path));
    nginx = startService(["nginx", "-p", directory.path, "-c", main]);
    await eventually("nginx answers", async () => {
      if (!nginx.running()) throw new Error(`nginx ended: ${nginx.stderr().join("\n")}`);
      return (await fetch(`${origin}/registry/livez`).catch(() => null))?.status === 200;
    });
    // As a client that knows no path.
    await new Pusher(origin).image("team/app", "1.0", appImage("1.0"));
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await nginx?.stop();
    await world?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  test("an upload that begins at the root of the name goes on where the registry says", async () => {
    const started = await fetch(`${origin}/v2/team/app/blobs/uploads/`, { method: "POST" });
    const location = started.headers.get("location") ?? "";
    expect(location).toStartWith(`${origin}/registry/v2/team/app/blobs/uploads/`);
    const body = Buffer.alloc(3 * 2 ** 20, "layer");
    const sent = await fetch(location, { method: "PATCH", body });
    expect([sent.status, sent.headers.get("range")]).toEqual([202, `0-${body.length - 1}`]);
  });

  test("pages load, lead on, and delete and undo, all below the path", async () => {
    await using opened = await openPage(browser, origin);
    const { page, faults } = opened;
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.goto(`${origin}/registry`);
    await page.waitForURL(`${origin}/registry/ui/`);
    await page.getByRole("link", { name: "team/app", exact: true }).first().click();
    await page.waitForURL(`${origin}/registry/ui/r/team/app`);
    await page.getByRole("link", { name: "1.0", exact: true }).click();
    await page.getByText("COPY /out/app /app").waitFor();
    const { host } = new URL(origin);
    expect(await page.locator(".get code").textContent()).toBe(`docker pull ${host}/team/app:1.0`);
    await page.getByText("Clients know no path").waitFor();
    await page.reload();
    await page.getByText("COPY /out/app /app").waitFor();
    await page.goto(`${origin}/registry/ui/r/team/app`);
    await page.getByRole("button", { name: "Delete 1.0" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("team/app:1.0 is back").waitFor();
    expect(asked.filter((path) => path !== "/registry" && !path.startsWith("/registry/"))).toEqual(
      [],
    );
    expect(faults).toEqual([]);
  });

  test("addresses of zot's interface lead to the pages", async () => {
    const home = await fetch(`${origin}/registry/home`, { redirect: "manual" });
    expect([home.status, home.headers.get("location")]).toEqual([307, `${origin}/registry/ui/`]);
  });
});
