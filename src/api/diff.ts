/**
 * What differs between two images, of one repository or two, as they are or were. Config, layers and packages are told at
 * once; files need the layers, which are read in the background: whoever asks for them asks again.
 */
import { denied } from "../auth/denied.ts";
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { compareImages, type ComparedSide, type ToldSide } from "../inspect/compare_images.ts";
import { InspectError } from "../inspect/image_content.ts";
import { layersOf, seeManifest } from "../inspect/seen_manifest.ts";
import { MiB } from "../lib/bytes.ts";
import { comparisons } from "../metadata/comparisons.ts";
import { recordCommit } from "../metadata/records.ts";
import type { Descriptor, Platform } from "../oci/descriptor.ts";
import { parseDigest } from "../oci/digest.ts";
import { apiError, type ApiError } from "../oci/errors.ts";
import { parsePlatform } from "../oci/platform.ts";
import { isRepositoryName, parseReference } from "../oci/reference.ts";
import {
  comparisonKey,
  missingLayer,
  type CompareRequest,
  type KeptComparison,
} from "../registry/compare/compare_files.ts";
import { registryContent } from "../registry/compare/registry_content.ts";
import { shorten, type App } from "./app.ts";
import { atItsTime } from "./past.ts";

/** Of an SBOM that is read while the request waits. */
const sbomBytesMax = 2 * MiB;
const usual: readonly Platform[] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
];

/** GET of what differs. */
export function getDiff(call: Call, app: App): Promise<Reply> {
  return atItsTime(call, app, (repository) => diffIn(call, app, repository));
}

interface NamedImage {
  readonly repository: string;
  readonly reference: string;
}

async function diffIn(call: Call, app: App, repository: string): Promise<Reply> {
  const a = { repository, reference: referenceIn("a", call.query.get("a")) };
  const b = namedIn(call.query.get("b"), repository);
  const asked = platformIn(call.query.get("platform"));
  const wantsFiles = flagIn("files", call.query.get("files"));
  for (const image of [a, b]) requireReadable(call, image);
  const sides = { a: await sideOf(call, app, a), b: await sideOf(call, app, b) };
  try {
    const platforms = { asked, usual, sbomBytesMax };
    const { told, images } = await compareImages(sides.a, sides.b, platforms);
    const request = {
      a: { repository: a.repository, digest: told.a.imageDigest },
      b: { repository: b.repository, digest: told.b.imageDigest },
    };
    const layers = { a: layersOf(images.a), b: layersOf(images.b) };
    const files = wantsFiles ? await filesOf(call, app, { request, layers }) : null;
    const body = {
      ...told,
      a: toldSide(call.repository, a, told.a),
      b: toldSide(b.repository, b, told.b),
      files,
    };
    const isPending = files !== null && files.state === "pending";
    return jsonReply(200, body, {
      "cache-control": "no-store",
      ...(isPending ? { "retry-after": "1" } : {}),
    });
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    throw apiError("PARAMETER_INVALID", { message: error.message, cause: error });
  }
}

function toldSide(name: string, { reference }: NamedImage, told: ToldSide): object {
  return { name, reference, ...told };
}

async function sideOf(
  call: Call,
  { registry }: App,
  { repository, reference }: NamedImage,
): Promise<ComparedSide> {
  const content = registryContent(registry, repository, call.budget);
  const root = await seeManifest(content, reference);
  if (root !== null) return { content, root };
  throw apiError("MANIFEST_UNKNOWN", { detail: { name: repository, reference } });
}

type ToldFiles =
  | { readonly state: "pending" }
  | { readonly state: "failed"; readonly problem: string }
  | (object & { readonly state: "done" });

/** What is known of the files, or that it is on its way. @throws TOO_MANY_REQUESTS. */
async function filesOf(
  call: Call,
  { registry }: App,
  {
    request,
    layers,
  }: {
    readonly request: CompareRequest;
    readonly layers: { readonly a: readonly Descriptor[]; readonly b: readonly Descriptor[] };
  },
): Promise<ToldFiles> {
  const { metadata } = registry;
  // What came of a comparison is kept for all repositories: who asks has the layers in those that it named.
  for (const side of ["a", "b"] as const) {
    call.budget.spend(layers[side].length);
    const missing = await missingLayer(registry, request[side].repository, layers[side]);
    if (missing !== null) {
      return { state: "failed", problem: `layer ${missing.digest}: it is not here` };
    }
  }
  const key = comparisonKey(request);
  const known = await metadata.records(comparisons).comparison(key);
  if (known === null) {
    const change = {
      kind: "want",
      key,
      request: JSON.stringify(request),
      by: call.counted,
    } as const;
    await metadata.commit(recordCommit(comparisons, change));
    const isWanted = (await metadata.records(comparisons).comparison(key)) !== null;
    if (isWanted) return { state: "pending" };
    throw apiError("TOO_MANY_REQUESTS", {
      message: "Too many comparisons of files wait; ask again when one of them is done",
      headers: { "retry-after": "5" },
    });
  }
  if (known.result === null) return { state: "pending" };
  const { isPassing = false, ...result } = JSON.parse(known.result) as KeptComparison;
  if (!("problem" in result)) return { state: "done", ...result };
  if (isPassing) await metadata.commit(recordCommit(comparisons, { kind: "forget", key }));
  return { state: "failed", problem: result.problem };
}

/** Who may pull the repository of the path was asked; conditions may be about the tag, and the other may be elsewhere. */
function requireReadable({ caller }: Call, { repository, reference }: NamedImage): void {
  const about = caller.about(parseDigest(reference) === null ? reference : "");
  if (about.may("read", repository)) return;
  throw denied(about, { actions: ["read"], repository });
}

function referenceIn(name: string, given: string | null): string {
  if (given !== null && parseReference(given).kind !== "invalid") return given;
  throw invalid(`${name}=<tag or digest>`, given);
}

/** `tag`, a digest, `name:tag` or `name@digest`. */
function namedIn(given: string | null, own: string): NamedImage {
  const text = given ?? "";
  const [, name, tag, digest] = /^([^:@]+)(?::([^:@]+)|@(.+))$/.exec(text) ?? [];
  if (name === undefined || parseDigest(text) !== null) {
    return { repository: own, reference: referenceIn("b", given) };
  }
  if (isRepositoryName(name)) {
    return { repository: name, reference: referenceIn("b", tag ?? digest ?? null) };
  }
  throw invalid("b=<tag, digest, name:tag or name@digest>", given);
}

function platformIn(given: string | null): Platform | null {
  if (given === null || given === "") return null;
  const platform = parsePlatform(given);
  if (platform !== null) return platform;
  throw invalid("platform=<os/architecture[/variant]>", given);
}

function flagIn(name: string, given: string | null): boolean {
  if (given === null || given === "false") return false;
  if (given === "true") return true;
  throw invalid(`${name}=true or false`, given);
}

function invalid(expected: string, given: string | null): ApiError {
  const got = given === null ? "nothing" : shorten(given);
  return apiError("PARAMETER_INVALID", { message: `Expected ${expected}, got ${got}` });
}
