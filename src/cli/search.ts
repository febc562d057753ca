// `zot search`: repositories and images of a registry that has zot's search (GraphQL), ours or zot in Go.

import { formatBytes } from "../lib/bytes.ts";
import { isJsonObject, type JsonObject } from "../lib/strict_json.ts";
import { TransferError } from "../transfer/image_place.ts";
import { paint, shortDigest } from "./colours.ts";
import type { Given, Output } from "./command.ts";
import { asksForJson } from "./looked_at.ts";
import { Mistake, text } from "./registry_flags.ts";
import { AskedServer, inColumns, serverGiven, ServerRefused } from "./server_given.ts";
import { clientFor, runLook } from "./transfer_failure.ts";

const searchPath = "/v2/_zot/ext/search";
const countDefault = 25;
const countMax = 1_000;
/** Longer texts are refused by every server. */
const textBytesMax = 256;

const query = `query ($text: String!, $limit: Int!) {
  GlobalSearch(query: $text, requestedPage: {limit: $limit, offset: 0, sortBy: RELEVANCE}) {
    Page { TotalCount ItemCount }
    Repos { Name LastUpdated Size Platforms { Os Arch } DownloadCount NewestImage { Tag IsSigned Description } }
    Images { RepoName Tag Digest LastUpdated Size IsSigned Manifests { Platform { Os Arch } } }
  }
}`;

/** Returns the exit status. */
export function searchCommand(given: Given, output: Output): Promise<number> {
  return runLook("search", output, async () => {
    const sought = given.arguments["text"] ?? "";
    const isJson = asksForJson(given);
    const limit = countOf(given);
    if (Buffer.byteLength(sought) > textBytesMax) {
      throw new Mistake(`expected up to ${textBytesMax} bytes to search for, got more`);
    }
    const server = serverGiven(text(given, "server"));
    const client = await clientFor(given, server);
    try {
      const found = await globalSearch(new AskedServer(client), { text: sought, limit });
      output.out(isJson ? `${JSON.stringify(found, null, 2)}\n` : page(found, output));
      return 0;
    } finally {
      client.close();
    }
  });
}

interface Found {
  readonly totalCount: number;
  readonly repositories: readonly JsonObject[];
  readonly images: readonly JsonObject[];
}

/** @throws TransferError for a registry without search, and for what it refuses. */
async function globalSearch(
  server: AskedServer,
  variables: { readonly text: string; readonly limit: number },
): Promise<Found> {
  const { url } = server.client;
  const answer = await server
    .ask("POST", searchPath, { query, variables })
    .catch((error: unknown) => {
      const isAbsent = error instanceof ServerRefused && [404, 405].includes(error.status);
      if (!isAbsent) throw error;
      throw new TransferError(
        `${url}: it has no search; 'zot ls' lists its repositories, and 'zot ls NAME' the tags of one`,
        { cause: error },
      );
    });
  const [first] = objects(isJsonObject(answer) ? answer["errors"] : null);
  const data = member(answer, "data");
  const result = member(data, "GlobalSearch");
  if (result === null) {
    const said = first?.["message"];
    const why = typeof said === "string" ? said.slice(0, 300) : "no answer to the question";
    throw new TransferError(`${url}: search: ${why}`);
  }
  const total = member(result, "Page")?.["TotalCount"];
  return {
    totalCount: typeof total === "number" ? total : 0,
    repositories: objects(result["Repos"]),
    images: objects(result["Images"]),
  };
}

function page({ totalCount, repositories, images }: Found, output: Output): string {
  const tables = [
    ...(repositories.length === 0
      ? []
      : [
          table(
            output,
            ["REPOSITORY", "NEWEST", "UPDATED", "SIZE", "PLATFORMS", "SIGNED", "DESCRIPTION"],
            repositories.map(repositoryRow),
          ),
        ]),
    ...(images.length === 0
      ? []
      : [
          table(
            output,
            ["IMAGE", "DIGEST", "UPDATED", "SIZE", "PLATFORMS", "SIGNED"],
            images.map(imageRow),
          ),
        ]),
  ];
  if (tables.length === 0) return "nothing is found\n";
  const rest = totalCount - repositories.length - images.length;
  const more = rest > 0 ? `${rest} more; -n shows more of them\n` : "";
  return tables.join("\n") + more;
}

function table(output: Output, head: readonly string[], rows: readonly string[][]): string {
  const [first = "", ...lines] = inColumns(head, rows).split("\n");
  return [paint(output.colour)("bold", first), ...lines].join("\n");
}

function repositoryRow(found: JsonObject): string[] {
  const newest = member(found, "NewestImage");
  return [
    said(found["Name"]),
    said(newest?.["Tag"]),
    day(found["LastUpdated"]),
    size(found["Size"]),
    platforms(objects(found["Platforms"])),
    newest?.["IsSigned"] === true ? "yes" : "no",
    said(newest?.["Description"], "").slice(0, 60),
  ];
}

function imageRow(found: JsonObject): string[] {
  const of = objects(found["Manifests"]).flatMap((manifest) => {
    const platform = member(manifest, "Platform");
    return platform === null ? [] : [platform];
  });
  const digest = found["Digest"];
  return [
    `${said(found["RepoName"])}:${said(found["Tag"])}`,
    typeof digest === "string" ? shortDigest(digest) : "-",
    day(found["LastUpdated"]),
    size(found["Size"]),
    platforms(of),
    found["IsSigned"] === true ? "yes" : "no",
  ];
}

function platforms(found: readonly JsonObject[]): string {
  const names = found.flatMap(({ Os: os, Arch: architecture }) =>
    typeof os === "string" && os !== "" ? [`${os}/${said(architecture)}`] : [],
  );
  const distinct = [...new Set(names)];
  const rest = distinct.length - 3;
  if (distinct.length === 0) return "-";
  return `${distinct.slice(0, 3).join(", ")}${rest > 0 ? ` +${rest}` : ""}`;
}

/** Sizes come as texts. */
function size(value: unknown): string {
  const bytes = Number(value);
  return typeof value === "string" && Number.isSafeInteger(bytes) ? formatBytes(bytes) : "-";
}

function day(value: unknown): string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) ? value.slice(0, 10) : "-";
}

function said(value: unknown, absent = "-"): string {
  return typeof value === "string" && value !== "" ? value : absent;
}

function member(value: unknown, name: string): JsonObject | null {
  const found = isJsonObject(value) ? value[name] : null;
  return isJsonObject(found) ? found : null;
}

function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function countOf(given: Given): number {
  const asked = text(given, "number");
  if (asked === null) return countDefault;
  const count = Number(asked);
  if (Number.isInteger(count) && count >= 1 && count <= countMax) return count;
  throw new Mistake(`expected --number from 1 to ${countMax}, got '${asked}'`);
}
