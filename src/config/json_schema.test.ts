// The JSON Schema says what the loader does, of every option and of the examples.

import { describe, expect, test } from "bun:test";
import { isJsonObject } from "../lib/strict_json.ts";
import * as z from "zod";
import { jsonSchema } from "./json_schema.ts";
import { checkConfig } from "./load.ts";
import { placedOptions } from "./schema.ts";

const schema: unknown = JSON.parse(JSON.stringify(jsonSchema()));
const validator = z.fromJSONSchema(jsonSchema() as z.core.JSONSchema.JSONSchema);

function propertyAt(path: string): Record<string, unknown> {
  let at: unknown = schema;
  for (const key of path.split(".")) {
    const properties: unknown = isJsonObject(at) ? at["properties"] : undefined;
    at = isJsonObject(properties) ? properties[key] : undefined;
  }
  return isJsonObject(at) ? at : {};
}

describe("jsonSchema", () => {
  test.each(placedOptions().filter(({ option }) => option.served))(
    "$path has its description and default",
    ({ path, option }) => {
      const property = propertyAt(path);
      expect(property["description"]).toStartWith(option.says);
      if (option.defaultSays === undefined) expect(property["default"]).toEqual(option.default);
      else expect(property["description"]).toContain(`Default: ${option.defaultSays}.`);
    },
  );

  test("no object takes keys that it does not name", () => {
    const open: string[] = [];
    visit(schema, "", (object, path) => {
      const closed = object["additionalProperties"] === false || "required" in object;
      if (object["type"] === "object" && !closed) open.push(path);
    });
    expect(open).toEqual([]);
  });

  // One value each that both take, or both refuse.
  test.each([
    [{}, true],
    [{ storage: { rootDirectory: "/data", dedupe: false, gc: false } }, true],
    [{ http: { port: 5000, compat: ["docker2s2"], manifestBytesMax: "8MiB" } }, true],
    [{ http: { port: "5000", readTimeout: "0", blobBytesMax: 5 } }, true],
    [{ http: { workers: "${N:-2}", port: "${P:-1}" }, log: { level: "${L:-info}" } }, true],
    [{ extensions: { search: { enable: false, cve: {} } } }, true],
    [{ extensions: {}, http: { auth: {} } }, true],
    [{ storage: { remoteCache: true } }, true],
    [{ storage: { subPaths: {} } }, true],
    [{ storage: { subPaths: { "/a": {} } } }, false],
    [{ extensions: { search: { enable: true } } }, true],
    [{ extensions: { search: { enable: "yes" } } }, false],
    [{ http: { tls: { cert: "server.crt", key: "server.key" } } }, true],
    [{ http: { tls: { cert: 5 } } }, false],
    [{ http: { ratelimit: {} } }, true],
    [{ http: { ratelimit: { rate: 9, methods: [{ method: "GET", rate: 5 }] } } }, true],
    [{ http: { ratelimit: { methods: [{ method: "BREW", rate: 5 }] } } }, false],
    [{ http: { ratelimit: { methods: [{ rate: 5 }] } } }, false],
    [{ storage: { retention: {} } }, true],
    [{ storage: { retention: { policies: [{ keepTag: [] }] } } }, false],
    [{ http: { prot: 1 } }, false],
    [{ http: { port: -1 } }, false],
    [{ http: { port: "http" } }, false],
    [{ http: { workers: "2" } }, false],
    [{ http: { readTimeout: 60 } }, false],
    [{ log: { level: "loud" } }, false],
    [{ distSpecVersion: 1.1 }, false],
    [[], false],
  ])("%j: %p, as the loader says", (value, valid) => {
    expect(validator.safeParse(value).success).toBe(valid);
    expect("config" in checkConfig(value, {})).toBe(valid);
  });
});

function visit(
  value: unknown,
  path: string,
  see: (object: Record<string, unknown>, path: string) => void,
): void {
  if (!isJsonObject(value)) return;
  see(value, path);
  for (const [key, member] of Object.entries(value)) visit(member, `${path}/${key}`, see);
}
