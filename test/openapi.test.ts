// The OpenAPI document: valid by a validator that others wrote, complete by the endpoint table, and true of the
// answers that a running server gives; and the page that shows it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { endpoints } from "../src/api/endpoints.ts";
import { pagePolicy } from "../src/api/swagger.ts";
import { digestOf } from "../src/oci/digest.ts";
import { openApiText } from "../src/server.ts";
import { Description, descriptionOf } from "./described.ts";
import { runOk, packageDirectory } from "./harness.ts";
import { newScene, runRow, type Row } from "./http/row.ts";
import { baseRows } from "./http/rows/base.ts";
import { blobRows } from "./http/rows/blobs.ts";
import { healthStories } from "./http/rows/health.ts";
import { historyRows } from "./http/rows/history.ts";
import { invalidManifestRows } from "./http/rows/invalid_manifests.ts";
import { catalogRows, listRows } from "./http/rows/lists.ts";
import { manifestRows } from "./http/rows/manifests.ts";
import { mountRows } from "./http/rows/mounts.ts";
import { nameRows } from "./http/rows/names.ts";
import { setTagsRows } from "./http/rows/set_tags.ts";
import { undoRows } from "./http/rows/undo.ts";
import { retentionRows } from "./http/rows/retention.ts";
import { diffRows } from "./http/rows/diff.ts";
import { auditRows } from "./http/rows/audit.ts";
import { scrubRows } from "./http/rows/scrub.ts";
import { activityRows } from "./http/rows/activity.ts";
import { usageRows } from "./http/rows/usage.ts";
import { uploadRows } from "./http/rows/uploads.ts";
import { startWorld, type World } from "./http/world.ts";

const document = JSON.parse(openApiText()) as Record<string, unknown>;

describe("the document", () => {
  test("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document));
    expect(result).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  test("has every row with each of its methods, once", () => {
    const { operations } = new Description(document);
    const described = operations.flatMap(({ rows, method, path }) =>
      rows.map((row) => `${row} ${method} ${path}`),
    );
    const served = endpoints.flatMap(({ name, methods, path }) =>
      methods.map((method) => `${name} ${method} ${path.replaceAll("...", "")}`),
    );
    expect(described.sort()).toEqual(served.sort());
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
  });

  test("explains every group and every parameter of a path", () => {
    const { tags } = document as { tags: { name: string; description: string }[] };
    for (const { name, description } of tags) expect(description).not.toBe(name);
    for (const { path, responses } of new Description(document).operations) {
      expect(path).not.toContain("...");
      for (const { headers } of Object.values(responses)) {
        expect(Object.keys(headers)).toContain("X-Content-Type-Options");
      }
    }
  });

  test("is what 'zot openapi' prints", async () => {
    const { stdout } = await runOk(`${packageDirectory}/bin/zot`, ["openapi"]);
    expect(JSON.parse(stdout)).toEqual(document);
  });
});

/** Rows that together see every answer that any of them sees. */
function enough(rows: readonly Row[]): Row[] {
  const seen = new Set<string>();
  return rows.filter(({ steps }) => {
    const pairs = steps.map(({ endpoint, answer }) => `${endpoint} ${answer}`);
    const isNew = pairs.some((pair) => !seen.has(pair));
    for (const pair of pairs) seen.add(pair);
    return isNew;
  });
}

const rows = enough([
  ...catalogRows, // They list all repositories, and so come first.
  ...baseRows,
  ...blobRows,
  ...historyRows,
  ...listRows,
  ...manifestRows,
  ...invalidManifestRows,
  ...mountRows,
  ...nameRows,
  ...undoRows,
  ...setTagsRows,
  ...retentionRows,
  ...scrubRows,
  ...auditRows,
  ...diffRows,
  ...activityRows,
  ...usageRows,
  ...uploadRows,
]);

describe("answers of a running server", () => {
  // What a world sends, it compares with the document.
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(rows.map((row) => [row.rule, row] as const))("%s", (_, row) =>
    runRow(newScene(world), row),
  );

  test.each(healthStories.map((story) => [story.rule, story] as const))("%s", (_, story) =>
    story.run(newScene(world)),
  );

  test("Paths that end without their slash answer as those that have it", async () => {
    const empty = digestOf("sha256", Buffer.of());
    const uploads = "/v2/slashless/blobs/uploads";
    expect((await world.send("GET", "/v2")).status).toBe(200);
    expect((await world.send("HEAD", "/v2")).status).toBe(200);
    expect((await world.send("HEAD", "/v2/_catalog")).status).toBe(200);
    expect((await world.send("POST", uploads)).status).toBe(202);
    expect((await world.send("POST", `${uploads}?digest=${empty}`)).status).toBe(201);
  });

  test("The page loads what this server has, and nothing else", async () => {
    for (const path of ["/swagger/v2/", "/swagger/v2/index.html"]) {
      const page = await world.send("GET", path);
      expect(page.status).toBe(200);
      expect(page.headers.get("content-security-policy")).toBe(pagePolicy);
      expect((await world.send("HEAD", path)).status).toBe(200);
      const text = Buffer.from(page.body).toString();
      expect(text).not.toMatch(/\/\/|data:|<style|onload/);
      const names = [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, name]) => name ?? "");
      expect(names.sort()).toEqual([
        "favicon-32x32.png",
        "page.css",
        "page.js",
        "swagger-ui-bundle.js",
        "swagger-ui.css",
      ]);
      for (const name of names) {
        const asset = await world.send("GET", `/swagger/v2/${name}`);
        expect(asset.status).toBe(200);
        expect(asset.bodyBytes).toBeGreaterThan(10);
        const condition = { "if-none-match": asset.headers.get("etag") ?? "" };
        const again = await world.send("GET", `/swagger/v2/${name}`, { headers: condition });
        expect(again.status).toBe(304);
        const head = await world.send("HEAD", `/swagger/v2/${name}`, { headers: condition });
        expect(head.status).toBe(304);
        expect((await world.send("HEAD", `/swagger/v2/${name}`)).status).toBe(200);
      }
    }
    expect(pagePolicy).not.toMatch(/https?:|\*|unsafe/);
  });

  test("HEAD is in the document, and not shown twice", async () => {
    expect(openApiText()).toContain('"head":');
    const style = await world.send("GET", "/swagger/v2/page.css");
    expect(Buffer.from(style.body).toString()).toContain(".opblock-head { display: none; }");
  });

  test("The page is found by parts of its path, and has no other files", async () => {
    for (const path of ["/swagger", "/swagger/", "/swagger/v2"]) {
      const found = await world.send("GET", path);
      expect(found.headers.get("location")).toBe("/swagger/v2/");
      expect((await world.send("HEAD", path)).status).toBe(308);
    }
    for (const name of ["nothing.js", "package.json", "__proto__", "..%2Fapp.ts"]) {
      expect((await world.send("GET", `/swagger/v2/${name}`)).status).toBe(404);
    }
  });

  test("A browser gets the first page", async () => {
    for (const method of ["GET", "HEAD"] as const) {
      const page = await world.send(method, "/", { headers: { accept: "text/html" } });
      expect(page.status).toBe(200);
    }
  });

  test("The document is served as it is printed", async () => {
    const served = await world.send("GET", "/swagger/v2/doc.json");
    expect(Buffer.from(served.body).toString()).toBe(openApiText());
    expect((await world.send("HEAD", "/swagger/v2/doc.json")).status).toBe(200);
  });

  test("Every answer that a row grants was seen", () => {
    // Tokens and keys are for callers who log in: test/auth/tokens.test.ts sees their answers.
    // The start page leads to the interface where that is on: test/ui/interface_files.test.ts sees it.
    const isOpen = (row: string): boolean => !/^(auth|home)\./.test(row);
    // Over a store of objects: test/objects/redirects.test.ts and audit.test.ts see it.
    const unseen = descriptionOf(openApiText()).unseen(endpoints, isOpen);
    expect(unseen.filter((answer) => !/^blobGet(Head)? 307$|^auditRun 202$/.test(answer))).toEqual(
      [],
    );
  });
});
