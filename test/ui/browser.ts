// A real Chromium that opens pages of a real server, and notes what a page must never do.

import { existsSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";

const executablePath = "/usr/bin/chromium";

/** The line that says why tests in a browser are left out; null where there is one. */
export const noBrowser = existsSync(executablePath)
  ? null
  : `the tests of the interface need ${executablePath} (Debian's package chromium)`;

export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      "--font-render-hinting=none",
    ],
  });
}

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: "light" | "dark";
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of scripts, refusals of the content security policy, and requests to other places. */
  readonly faults: readonly string[];
}

/** A page of its own session. `url` is that of the server. */
export async function openPage(browser: Browser, url: string, look: Look = {}): Promise<OpenPage> {
  const { width = 1280, height = 800, theme = "light" } = look;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const faults: string[] = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const said = message.text();
    // The browser says so of every answer of 4xx, which pages show in words.
    if (message.type() === "error" && !said.startsWith("Failed to load resource"))
      faults.push(said);
  });
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(url) && !target.startsWith("data:")) faults.push(`request to ${target}`);
  });
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}
