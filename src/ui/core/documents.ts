/**
 * What stands in documents that are attached to images: attestations are opened down to what they state. Whatever does
 * not have the shape that it should is left out.
 */
import { listOf, membersOf, parsed, textOf } from "./shapes.ts";

/** Envelopes inside of envelopes. */
const depthMax = 4;

/** What an attestation says of what it is about, and how it was made. */
export interface Statement {
  readonly predicateType: string;
  /** Rows of a provenance: builder, source, and the like; empty for other predicates. */
  readonly rows: readonly (readonly [string, string])[];
  readonly subjects: readonly string[];
}

export interface Opened {
  /** The innermost document. */
  readonly value: unknown;
  /** Of an attestation; the last one on the way. */
  readonly statement: Statement | null;
}

/** Opens Sigstore bundles, DSSE envelopes and in-toto statements. */
export function openDocument(value: unknown): Opened {
  let inner = value;
  let statement: Statement | null = null;
  for (let depth = 0; depth < depthMax; depth += 1) {
    const members = membersOf(inner);
    const envelope = membersOf(members["dsseEnvelope"] ?? members);
    const payload = textOf(envelope["payload"]);
    if (payload !== "" && textOf(envelope["payloadType"]) !== "") inner = parsed(decoded(payload));
    else if (textOf(members["predicateType"]) !== "") {
      statement = statementOf(members);
      inner = members["predicate"];
    } else break;
  }
  return { value: inner, statement };
}

function decoded(base64: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    return "";
  }
}

const subjectsMax = 20;

function statementOf(members: Readonly<Record<string, unknown>>): Statement {
  const subjects = listOf(members["subject"])
    .slice(0, subjectsMax)
    .map((each) => {
      const { name, digest } = membersOf(each);
      const [first] = Object.entries(membersOf(digest));
      const hash = first === undefined ? "" : `${first[0]}:${textOf(first[1])}`;
      return [textOf(name), hash].filter(Boolean).join(" ");
    });
  return {
    predicateType: textOf(members["predicateType"]),
    rows: provenanceOf(members["predicate"]),
    subjects: subjects.filter((text) => text !== ""),
  };
}

/** SLSA's provenance, in its versions 0.2 and 1. */
function provenanceOf(value: unknown): (readonly [string, string])[] {
  const predicate = membersOf(value);
  const definition = membersOf(predicate["buildDefinition"]);
  const run = membersOf(predicate["runDetails"]);
  const metadata = membersOf(run["metadata"] ?? predicate["metadata"]);
  const invocation = membersOf(predicate["invocation"]);
  const source = membersOf(invocation["configSource"]);
  const workflow = membersOf(membersOf(definition["externalParameters"])["workflow"]);
  const materials = listOf(definition["resolvedDependencies"] ?? predicate["materials"]);
  const rows: (readonly [string, string])[] = [
    ["Builder", textOf(membersOf(run["builder"] ?? predicate["builder"])["id"])],
    ["Type of build", textOf(definition["buildType"]) || textOf(predicate["buildType"])],
    ["Source", textOf(workflow["repository"]) || textOf(source["uri"])],
    ["Revision", textOf(workflow["ref"])],
    ["Entry", textOf(workflow["path"]) || textOf(source["entryPoint"])],
    ["Started", textOf(metadata["startedOn"]) || textOf(metadata["buildStartedOn"])],
    ["Finished", textOf(metadata["finishedOn"]) || textOf(metadata["buildFinishedOn"])],
    ["Materials", materials.length === 0 ? "" : String(materials.length)],
  ];
  return rows.filter(([, text]) => text !== "");
}
