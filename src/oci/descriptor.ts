// Descriptors: typed pointers to content (image-spec descriptor.md), and the check of one from JSON.
//
// A checked descriptor has the types that it declares, so that typed readers (every Go client) can
// read what we serve. Its digest is well-formed but may be of an algorithm that we do not compute:
// whether the content must exist is decided elsewhere. An optional member that is null counts as
// absent. Unknown members are accepted and dropped here; the stored bytes keep them.

import { isMediaType } from "../lib/http_fields.ts";
import { isJsonObject, isStringArray, isStringMap, showJson } from "../lib/strict_json.ts";
import { algorithmOf, digestOf, digestProblem, parseDigest } from "./digest.ts";

export interface Descriptor {
  mediaType: string;
  /** Well-formed, but not always of a supported algorithm: `parseDigest` tells. */
  digest: string;
  /** Bytes of the content; 0 to 2^53 - 1. */
  size: number;
  annotations?: Record<string, string>;
  artifactType?: string;
  urls?: string[];
  /** The content itself, in base64; its length and digest were checked. */
  data?: string;
  platform?: Platform;
}

export interface Platform {
  architecture?: string;
  os?: string;
  "os.version"?: string;
  "os.features"?: string[];
  variant?: string;
  features?: string[];
}

export type CheckedDescriptor = { descriptor: Descriptor } | { problem: string };

/**
 * Checks one descriptor of parsed JSON. `where` names it in the problem, such as `layers[3]`. The
 * problem is one line: capital or member name first, what was expected, what came, no full stop.
 */
export function checkDescriptor(value: unknown, where: string): CheckedDescriptor {
  if (!isJsonObject(value)) {
    return { problem: `${where} must be a descriptor object, but is ${showJson(value)}` };
  }
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== "string" || !isMediaType(mediaType)) {
    return {
      problem: `${where}.mediaType must be a media type, but is ${showJson(mediaType)}`,
    };
  }
  if (typeof digest !== "string" || digestProblem(digest) === "malformed") {
    const expected = "must be a digest such as sha256:<64 lower-case hex digits>";
    return { problem: `${where}.digest ${expected}, but is ${showJson(digest)}` };
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    const expected = "must be an integer from 0 to 2^53 - 1";
    return { problem: `${where}.size ${expected}, but is ${showJson(size)}` };
  }
  const descriptor: Descriptor = { mediaType, digest, size };
  const problem = addOptionalMembers(descriptor, value);
  return problem === null ? { descriptor } : { problem: `${where}.${problem}` };
}

/** Checks the optional members and takes them over. Returns the first problem, or null. */
function addOptionalMembers(
  descriptor: Descriptor,
  members: Record<string, unknown>,
): string | null {
  const annotations = members["annotations"] ?? null;
  if (annotations !== null) {
    if (!isStringMap(annotations)) return "annotations must be an object of strings";
    descriptor.annotations = annotations;
  }
  const artifactType = members["artifactType"] ?? null;
  if (artifactType !== null && artifactType !== "") {
    if (typeof artifactType !== "string" || !isMediaType(artifactType)) {
      return `artifactType must be a media type, but is ${showJson(artifactType)}`;
    }
    descriptor.artifactType = artifactType;
  }
  const urls = members["urls"] ?? null;
  if (urls !== null) {
    if (!isStringArray(urls)) return "urls must be an array of strings";
    descriptor.urls = urls;
  }
  const platform = members["platform"] ?? null;
  if (platform !== null) {
    if (!isPlatform(platform)) return "platform must be an object of strings and arrays of strings";
    descriptor.platform = platform;
  }
  const data = members["data"] ?? null;
  if (data !== null) {
    if (typeof data !== "string") return `data must be base64 text, but is ${showJson(data)}`;
    descriptor.data = data;
    return dataProblem(descriptor, data);
  }
  return null;
}

const platformTexts = ["architecture", "os", "os.version", "variant"];
const platformLists = ["os.features", "features"];

/** Holds the members that Go clients read to their types; any may be absent. */
function isPlatform(value: unknown): value is Platform {
  if (!isJsonObject(value)) return false;
  const textsFit = platformTexts.every((name) => typeof (value[name] ?? "") === "string");
  return textsFit && platformLists.every((name) => isStringArray(value[name] ?? []));
}

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** `data` must be the content that `size` and `digest` describe (descriptor.md, "Embedded Content"). */
function dataProblem(descriptor: Descriptor, data: string): string | null {
  if (data.length % 4 !== 0 || !base64.test(data)) return "data must be base64 text with padding";
  const bytes = Buffer.from(data, "base64");
  if (bytes.length !== descriptor.size) {
    return `data holds ${bytes.length} bytes, but size says ${descriptor.size}`;
  }
  const digest = parseDigest(descriptor.digest);
  if (digest === null) return null; // Not an algorithm that we can check with.
  return digestOf(algorithmOf(digest), bytes) === digest ? null : "data is not what digest names";
}
