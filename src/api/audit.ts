/** Audits of stores of objects, for administrators: what the last one found, and asking for the next. */
import type { Call } from "../http/call.ts";
import type { Reply } from "../http/endpoint.ts";
import { jsonReply } from "../http/reply.ts";
import { objects } from "../metadata/objects.ts";
import { apiError } from "../oci/errors.ts";
import { isRepositoryName } from "../oci/reference.ts";
import {
  askForAudit,
  readAudit,
  readWish,
  type AuditRecord,
  type AuditWish,
} from "../registry/audit/audit_record.ts";
import { shorten, type App } from "./app.ts";
import { invalidBody, readObject } from "./json_body.ts";

const bodyBytesMax = 4 * 1024;
const noStore = { "cache-control": "no-store" };

export async function getAudit(_call: Call, app: App): Promise<Reply> {
  return jsonReply(200, await told(app), noStore);
}

/** The job begins it within seconds. */
export async function postAudit(call: Call, app: App): Promise<Reply> {
  const body = await readObject(call, app, {
    members: ["strays", "repository", "beforeRestore"],
    bytesMax: bodyBytesMax,
  });
  const { strays = "tell", repository = null, beforeRestore = false } = body;
  if (typeof beforeRestore !== "boolean")
    throw invalidBody("Expected true or false in beforeRestore");
  const wished = straysOf(strays, repository);
  const reads = app.registry.metadata.records(objects);
  const hasStore = (await reads.value("registry")) !== null || (await reads.stores()).length > 0;
  if (!hasStore) throw apiError("NO_OBJECTS");
  await askForAudit(app.registry, { strays: wished, alsoBeforeRestore: beforeRestore });
  return jsonReply(202, await told(app), noStore);
}

function straysOf(strays: unknown, repository: unknown): AuditWish["strays"] {
  if (strays !== "tell" && strays !== "remove" && strays !== "adopt") {
    throw invalidBody(
      `Expected tell, remove or adopt in strays, got ${shorten(JSON.stringify(strays) ?? "")}`,
    );
  }
  if (strays !== "adopt") {
    if (repository !== null) throw invalidBody("Expected repository with adopt only");
    return strays;
  }
  if (typeof repository === "string" && isRepositoryName(repository)) {
    return { adoptAs: repository };
  }
  throw invalidBody("Expected the name of a repository in repository, for what is adopted");
}

async function told({ registry }: App): Promise<object> {
  const [record, wish] = [await readAudit(registry), await readWish(registry)];
  const isWaiting = wish !== null && wish.at !== (record?.wishAt ?? null);
  return { isWaiting, audit: record === null ? null : toldAudit(record) };
}

function toldAudit({
  from,
  to,
  restoredAt,
  found,
  wish,
  wishAt: _at,
  ...counts
}: AuditRecord): object {
  const { strays } = wish ?? { strays: "tell" };
  return {
    from: moment(from),
    to: moment(to),
    restoredAt: moment(restoredAt),
    wish: typeof strays === "string" ? strays : "adopt",
    ...counts,
    found: found.map(({ changedAt, ...stray }) => ({ ...stray, changedAt: moment(changedAt) })),
  };
}

function moment(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
