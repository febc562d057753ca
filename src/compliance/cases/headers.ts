// Cases: headers that hold for every answer: warnings, addresses, and nothing reflected.
import type { Exchange } from "../../client/exchange.ts";
import {
  expectHeader,
  expectLocation,
  expectSameOrigin,
  expectStatus,
  expectThat,
} from "../expect.ts";
import { type Case, negative, positive, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Broken, Skipped, Wrong } from "../verdict.ts";
import { once } from "./once.ts";

const warning = /^299 - "(?:[^"\\]|\\.)*"$/;
const should = { level: "should" } as const;

export function headerScenarios(): Scenario[] {
  return [scenario("headers", "headers", "Headers of all answers", headerCases)];
}

/** One answer of each kind. */
const answersOf = async (t: Trial): Promise<Exchange[]> => {
  const tag = t.name("headers");
  const image = await t.pushImage({ tag });
  return [
    await t.client.ping(),
    await t.client.manifestGet(t.repository, tag),
    await t.client.manifestHead(t.repository, image.digest),
    await t.client.tagsList(t.repository),
    await t.client.blobGet(t.repository, t.blob().digest),
    await t.client.uploadStart(t.repository),
    await t.client.referrers(t.repository, image.digest),
  ];
};

const answers = once(answersOf);

const headerCases: readonly Case[] = [
  positive(
    "warnings",
    "Warning headers, if any, have code 299, agent - and no date",
    "warnings",
    async (t) => {
      for (const answer of await answers(t)) {
        for (const line of answer.headers.all("Warning")) {
          expectThat(warning.test(line), `Expected 299 - "text", got ${line}`);
        }
      }
    },
  ),
  positive(
    "warnings-size",
    "Warning headers have at most 4096 bytes together",
    "warningsSize",
    async (t) => {
      for (const answer of await answers(t)) {
        const bytes = answer.headers.all("Warning").join("").length;
        expectThat(bytes <= 4096, `Expected at most 4096 bytes of warnings, got ${bytes}`);
      }
    },
  ),
  positive(
    "one-location",
    "An upload and a push have exactly one Location, on this registry",
    "sameOrigin",
    async (t) => {
      const start = await t.client.uploadStart(t.repository);
      expectStatus(start, 202);
      expectSameOrigin(expectLocation(start), start);
      const blob = t.blob();
      const done = await t.client.uploadPut(expectLocation(start), blob.digest, {
        body: blob.bytes,
      });
      expectStatus(done, 201);
      expectSameOrigin(expectLocation(done), done);
    },
    should,
  ),
  positive(
    "version-header",
    "Every answer names the API version",
    "apiVersionHeader",
    async (t) => {
      for (const answer of await answers(t)) {
        expectHeader(answer, "Docker-Distribution-Api-Version", "registry/2.0");
      }
    },
    should,
  ),
  positive(
    "nosniff",
    "Content that was pushed is sent with X-Content-Type-Options: nosniff",
    "nosniff",
    async (t) => {
      const blob = await t.pushBlob(t.blob());
      expectHeader(
        await t.client.blobGet(t.repository, blob.digest),
        "X-Content-Type-Options",
        "nosniff",
      );
    },
    should,
  ),
  positive(
    "length",
    "Content-Length is the number of bytes that come",
    "contentLength",
    async (t) => {
      for (const answer of await answers(t)) {
        const length = answer.headers.get("Content-Length");
        if (length === null || answer.method === "HEAD") continue;
        expectThat(
          Number(length) === answer.bodyBytes,
          `Content-Length: ${length}, got ${answer.bodyBytes} bytes`,
        );
      }
    },
  ),
  ...["last", "n", "artifactType"].map((name) =>
    negative(
      `reflected-${name}`,
      `Line breaks in ${name} do not get into headers`,
      "noReflection",
      async (t) => {
        const injected = "a%0d%0aX-Injected:%20yes";
        const path =
          name === "artifactType"
            ? `referrers/${t.blob().digest}?artifactType=`
            : `tags/list?${name === "last" ? "n=1&" : ""}${name}=`;
        await t.pushImage({ tag: t.name("reflect") });
        await t.pushImage({ tag: t.name("reflect") });
        const answer = await t.client.exchange({
          method: "GET",
          url: `/v2/${t.repository}/${path}${injected}`,
        });
        if (answer.headers.has("X-Injected"))
          throw new Wrong("A header line of our choice came back");
        if (answer.status >= 500) throw new Broken(`The registry failed with ${answer.status}`);
        const link = answer.headers.get("Link") ?? "";
        expectThat(!/[\r\n]/.test(link), "The Link header has a line break");
      },
    ),
  ),
  positive(
    "date",
    "Answers have a Date, as RFC 9110 wants of servers with a clock",
    "httpSemantics",
    async (t) => {
      const [ping] = await answers(t);
      if (ping === undefined) throw new Skipped("No answer");
      expectThat(
        !Number.isNaN(Date.parse(expectHeader(ping, "Date"))),
        "Expected a Date header with a date",
      );
    },
    should,
  ),
];
