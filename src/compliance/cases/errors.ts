// THE table of error answers: on purpose wrong requests, and the code and shape of what comes back.
//
// The specification leaves the body of a 4xx free, but a JSON body must have its form and its codes.
// That is the `must` row; which code and that there is a JSON body at all is recommended.
import type { Exchange } from "../../client/exchange.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { expectErrorBody, expectHeader, expectNoBody, expectThat, jsonOf } from "../expect.ts";
import { type Case, negative, scenario, type Scenario } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Skipped, Unsupported } from "../verdict.ts";

interface Row {
  id: string;
  title: string;
  status: number;
  codes: readonly string[];
  ask: (t: Trial) => Promise<Exchange>;
}

const rows: readonly Row[] = [
  {
    id: "blob-unknown",
    title: "An unknown blob",
    status: 404,
    codes: ["BLOB_UNKNOWN", "NAME_UNKNOWN"],
    ask: async (t) => t.client.blobGet(t.repository, t.blob().digest),
  },
  {
    id: "manifest-unknown",
    title: "An unknown manifest",
    status: 404,
    codes: ["MANIFEST_UNKNOWN", "NAME_UNKNOWN"],
    ask: async (t) => t.client.manifestGet(t.repository, t.name("unknown")),
  },
  {
    id: "name-unknown-manifest",
    title: "A manifest in an unknown repository",
    status: 404,
    codes: ["NAME_UNKNOWN", "MANIFEST_UNKNOWN"],
    ask: async (t) => t.client.manifestGet(`${t.repository}/never-${t.seed}`, "latest"),
  },
  {
    id: "name-unknown-tags",
    title: "The tags of an unknown repository",
    status: 404,
    codes: ["NAME_UNKNOWN"],
    ask: async (t) => t.client.tagsList(`${t.repository}/never-${t.seed}`),
  },
  {
    id: "upload-unknown",
    title: "An unknown upload session",
    status: 404,
    codes: ["BLOB_UPLOAD_UNKNOWN"],
    ask: async (t) => {
      const id = "00000000-0000-4000-8000-000000000000";
      return t.client.exchange({ method: "GET", url: `/v2/${t.repository}/blobs/uploads/${id}` });
    },
  },
  {
    id: "digest-invalid",
    title: "A blob that is not that of its digest",
    status: 400,
    codes: ["DIGEST_INVALID"],
    ask: async (t) =>
      t.client.uploadPut(await t.startUpload(), t.blob().digest, { body: t.blob().bytes }),
  },
  {
    id: "digest-missing",
    title: "A closing PUT without a digest",
    status: 400,
    codes: ["DIGEST_INVALID", "BLOB_UPLOAD_INVALID"],
    ask: async (t) => t.client.exchange({ method: "PUT", url: await t.startUpload() }),
  },
  {
    id: "range-invalid",
    title: "A chunk out of order",
    status: 416,
    codes: ["BLOB_UPLOAD_INVALID", "SIZE_INVALID"],
    ask: async (t) => {
      const body = t.blob(2048).bytes;
      return t.client.uploadPatch(await t.startUpload(), { body, range: "4096-6143" });
    },
  },
  {
    id: "manifest-invalid",
    title: "A manifest that is no JSON",
    status: 400,
    codes: ["MANIFEST_INVALID"],
    ask: async (t) => {
      const body = new TextEncoder().encode("{");
      return t.client.manifestPut(t.repository, t.name("invalid"), {
        mediaType: mediaTypes.ociImage,
        body,
      });
    },
  },
  {
    id: "name-invalid",
    title: "A name with upper case",
    status: 400,
    codes: ["NAME_INVALID", "NAME_UNKNOWN"],
    ask: async (t) => t.client.uploadStart(`${t.repository}/UPPER`),
  },
  {
    id: "method",
    title: "A method that a manifest does not have",
    status: 405,
    codes: ["UNSUPPORTED"],
    ask: async (t) =>
      t.client.exchange({ method: "POST", url: `/v2/${t.repository}/manifests/latest` }),
  },
];

export function errorScenarios(): Scenario[] {
  return [
    ...rows.map((row) => scenario("errors", `errors.${row.id}`, row.title, rowCases(row))),
    scenario("errors", "errors.head", "Errors of HEAD", headCases),
  ];
}

function rowCases(row: Row): Case[] {
  let answer: Exchange;
  const after = ["answered"];
  const should = { level: "should", after } as const;
  return [
    negative(
      "answered",
      `${row.title} is answered with 4xx`,
      "httpSemantics",
      async (t) => {
        answer = await row.ask(t);
        const { status } = answer;
        expectThat(status >= 400 && status < 500, `Expected status 4xx, got ${status}`);
      },
      { level: "should" },
    ),
    negative(
      "status",
      `The status is ${row.status}`,
      "httpSemantics",
      () => {
        expectThat(
          answer.status === row.status,
          `Expected status ${row.status}, got ${answer.status}`,
        );
        return Promise.resolve();
      },
      should,
    ),
    negative(
      "shape",
      "A JSON body has the form of the specification and registered codes",
      "errorBody",
      () => {
        if (answer.bodyBytes === 0) throw new Skipped("No body");
        const isJson = (answer.headers.get("Content-Type") ?? "").startsWith("application/json");
        if (!isJson && jsonOf(answer) === undefined) throw new Skipped("The body is no JSON");
        expectErrorBody(answer);
        return Promise.resolve();
      },
      { after },
    ),
    negative(
      "code",
      `The code is ${row.codes.join(" or ")}`,
      "errorCode",
      () => {
        if (jsonOf(answer) === undefined) throw new Unsupported("No JSON body");
        expectErrorBody(answer, row.codes);
        return Promise.resolve();
      },
      should,
    ),
    negative(
      "type",
      "The body is sent as application/json",
      "jsonType",
      () => {
        const type = expectHeader(answer, "Content-Type");
        expectThat(/^application\/json\b/.test(type), `Expected application/json, got ${type}`);
        return Promise.resolve();
      },
      should,
    ),
  ];
}

const headCases: readonly Case[] = [
  negative("blob", "A 404 of HEAD has no body", "headParity", async (t) => {
    const options = { readPastEnd: true };
    expectNoBody(await t.client.blobHead(t.repository, t.blob().digest, options));
    expectNoBody(await t.client.manifestHead(t.repository, t.name("unknown"), options));
  }),
  negative(
    "method-allow",
    "A 405 names the methods that work in Allow",
    "methodNotAllowed",
    async (t) => {
      const url = `/v2/${t.repository}/manifests/latest`;
      const answer = await t.client.exchange({ method: "POST", url });
      if (answer.status !== 405) throw new Skipped(`Answered with ${answer.status}`);
      const allow = expectHeader(answer, "Allow");
      expectThat(/\bGET\b/.test(allow), `Expected GET in Allow, got ${allow}`);
    },
    { level: "should" },
  ),
];
