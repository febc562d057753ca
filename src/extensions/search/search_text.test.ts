// What texts mean, and which mean nothing.

import { expect, test } from "bun:test";
import { SearchError } from "./search_error.ts";
import { readText, type Wanted } from "./search_text.ts";

const digest = `sha256:${"a".repeat(64)}`;

test.each<[string, Wanted]>([
  ["", { kind: "repositories", text: "" }],
  ["  App ", { kind: "repositories", text: "app" }],
  ["/team/app/", { kind: "repositories", text: "team/app" }],
  ["team/app:v1", { kind: "tags", repository: "team/app", prefix: "v1" }],
  ["team/app:", { kind: "tags", repository: "team/app", prefix: "" }],
  ["team/App:V1", { kind: "tags", repository: "team/app", prefix: "v1" }],
  [":latest", { kind: "tag", text: "latest" }],
  ["sha256:12ab", { kind: "digest", prefix: "sha256:12ab" }],
  ["sha512:12ab", { kind: "digest", prefix: "sha512:12ab" }],
  [`team/app@${digest}`, { kind: "manifest", repository: "team/app", digest }],
])("%p", (text, wanted) => {
  expect(readText(text)).toEqual(wanted);
});

test.each([":", "name@x", "@", `@${digest}`, "a:b:c", "x".repeat(257), "é".repeat(129)])(
  "%p means nothing",
  (text) => {
    expect(() => readText(text)).toThrow(SearchError);
  },
);
