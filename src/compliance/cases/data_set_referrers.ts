// Cases: the lists of referrers of a data set, whole and filtered by artifact type.
import type { Exchange } from "../../client/exchange.ts";
import { isJsonObject, isStringMap, type JsonObject } from "../../lib/strict_json.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { mediaTypes } from "../../oci/media_types.ts";
import { expectJson, expectStatus, expectThat, expectType } from "../expect.ts";
import { type Case, positive } from "../suite.ts";
import type { Trial } from "../trial.ts";
import { Unsupported, Wrong } from "../verdict.ts";
import type { Filled } from "./data_sets.ts";

export function referrersCases({ manifests, set }: Filled): Case[] {
  const bySubject = new Map<string, Descriptor[]>();
  for (const { subject, descriptor } of manifests) {
    if (subject === null) continue;
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), descriptor]);
  }
  const after = manifests.map((_, at) => `push-manifest-${at + 1}`);
  return [...bySubject].flatMap(([subject, expected], at) => {
    const types = [...new Set(expected.map((one) => one.artifactType ?? ""))].filter(
      (type) => type !== "",
    );
    return [
      positive(
        `referrers-${at + 1}`,
        `The ${expected.length} referrers are listed with type, artifact type and annotations`,
        set.clause === "subjectMayBeMissing" ? "referrersEntries" : set.clause,
        async (t) => {
          const found = await listReferrers(t, subject, null);
          for (const descriptor of expected) expectListed(found, descriptor);
        },
        { after, since: "1.1" },
      ),
      ...types.map((type, number) =>
        positive(
          `referrers-${at + 1}-type-${number + 1}`,
          `The list can be filtered by artifact type ${type}`,
          "referrersFilterHeader",
          async (t) => {
            const found = await listReferrers(t, subject, type);
            for (const one of expected) if (one.artifactType === type) expectListed(found, one);
            const other = found.find((entry) => entry["artifactType"] !== type);
            if (other !== undefined)
              throw new Wrong("The filtered list has entries of another type");
          },
          { after, since: "1.1" },
        ),
      ),
    ];
  });
}

/** All entries over all pages. With a filter, every page has to say that it was applied. */
export async function listReferrers(
  t: Trial,
  subject: string,
  artifactType: string | null,
  repository = t.repository,
): Promise<JsonObject[]> {
  await t.requireReferrers();
  const query: [string, string][] = artifactType === null ? [] : [["artifactType", artifactType]];
  const first = await t.client.referrers(repository, subject, query);
  const entries: JsonObject[] = [];
  for await (const page of t.client.paginate(first)) {
    if (artifactType !== null) requireFilter(page);
    entries.push(...readIndex(page));
  }
  return entries;
}

function requireFilter(page: Exchange): void {
  const applied = page.headers.get("OCI-Filters-Applied")?.split(",") ?? [];
  if (page.status === 200 && !applied.some((name) => name.trim() === "artifactType")) {
    throw new Unsupported("The filter is not applied: no OCI-Filters-Applied: artifactType");
  }
}

function readIndex(page: Exchange): JsonObject[] {
  expectStatus(page, 200);
  expectType(page, mediaTypes.ociIndex);
  const index = expectJson(page);
  expectThat(index["schemaVersion"] === 2, "Expected schemaVersion 2");
  expectThat(index["mediaType"] === mediaTypes.ociIndex, "Expected the mediaType of an index");
  const { manifests } = index;
  expectThat(Array.isArray(manifests), "Expected a list `manifests`");
  return manifests.filter(isJsonObject);
}

function expectListed(entries: readonly JsonObject[], expected: Descriptor): void {
  const found = entries.filter((entry) => entry["digest"] === expected.digest);
  expectThat(
    found.length > 0,
    `Expected ${expected.digest} in the list, which has ${entries.length} entries`,
  );
  expectThat(found.length === 1, `Expected ${expected.digest} once, got it ${found.length} times`);
  const [entry] = found;
  for (const name of ["mediaType", "size", "artifactType"] as const) {
    const [wanted, came] = [expected[name], entry?.[name]];
    expectThat(
      wanted === came,
      `Expected ${name} ${String(wanted)} for ${expected.digest}, got ${String(came)}`,
    );
  }
  const annotations = entry?.["annotations"] ?? {};
  for (const [key, value] of Object.entries(expected.annotations ?? {})) {
    const same = isStringMap(annotations) && annotations[key] === value;
    expectThat(same, `Expected annotation ${key} of ${expected.digest} in the list`);
  }
}
