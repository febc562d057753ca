// Names of what is mirrored, both ways: every row of zot's own table, the traps, and the shorthand.

import { describe, expect, test } from "bun:test";
import { syncValues } from "../../../test/mirror/sync_values.ts";
import { ContentRules, ruleProblem } from "./content_rules.ts";
import { namedEntries, NameTable } from "./names.ts";

const rule = (prefix: string, destination = "", stripPrefix = false) => ({
  prefix,
  destination,
  stripPrefix,
});

describe("row 8: content rules, both ways", () => {
  const rows: readonly (readonly [
    prefix: string,
    destination: string,
    strip: boolean,
    upstream: string,
    local: string | null,
  ])[] = [
    ["zot-fold/alpine", "/alpine", false, "zot-fold/alpine", "alpine/zot-fold/alpine"],
    ["zot-fold/alpine", "/alpine", true, "zot-fold/alpine", "alpine"],
    ["zot-fold/*", "/", true, "zot-fold/alpine", "alpine"],
    ["zot-fold/**", "/", true, "zot-fold/alpine", "alpine"],
    ["zot-fold/**", "/", false, "zot-fold/alpine", "zot-fold/alpine"],
    ["**", "/docker.io", false, "library/nginx", "docker.io/library/nginx"],
    ["**", "ghcr.io", false, "a/b", "ghcr.io/a/b"],
    ["/repo1/**", "/localrepo", true, "repo1/x/y", "localrepo/x/y"],
    ["repo/*", "/m", false, "repo/x/y", null],
    ["zot-fold/alpine/", "/alpine", true, "zot-fold/alpine", "alpine"],
    ["a/**", "/m", true, "ab/x", null],
    ["a/**", "/m", true, "a", "m"],
    ["x/{a,b}/*", "/m", true, "x/a/y", "m/a/y"],
    ["{a,b}/*", "/m", false, "b/x", "m/b/x"],
    ["**", "", false, "registry", "registry"],
    ["**", "/m", false, "Not/A/Name", null],
  ];
  test.each([...rows])(
    "%s to %s, strip %p: %s is %s",
    (prefix, destination, strip, upstream, local) => {
      const rules = new ContentRules([rule(prefix, destination, strip)]);
      expect(rules.localName(upstream)).toBe(local);
      if (local !== null) expect(rules.upstreamName(local)).toBe(upstream);
    },
  );

  test("names of others here are none of the upstream's", () => {
    const rules = new ContentRules([rule("a/*", "/m", true)]);
    for (const name of ["m", "m/x/y", "mx/y", "a/x", "other"]) {
      expect(rules.upstreamName(name), name).toBeNull();
    }
    expect(new ContentRules([rule("**", "/docker.io")]).upstreamName("docker.io")).toBeNull();
  });

  test("the first rule that fits counts, backwards too", () => {
    const rules = new ContentRules([
      rule("zot-fold/alpine/", "/alpine", true),
      rule("zot-fold/alpine", "/alpine"),
    ]);
    expect(rules.localName("zot-fold/alpine")).toBe("alpine");
    expect(rules.upstreamName("alpine/zot-fold/alpine")).toBe("zot-fold/alpine");
  });

  test("without rules every name is its own", () => {
    const rules = new ContentRules([]);
    expect([rules.localName("a/b"), rules.upstreamName("a/b")]).toEqual(["a/b", "a/b"]);
  });

  const refused: readonly (readonly [prefix: string, destination: string, says: string])[] = [
    ["zot-fold/alpine", "/", "names would be empty"],
    ["app*", "/m", "begins a component"],
    ["{a,b}/*", "/m", "begins a component"],
    ["a/x-*", "/m", "begins a component"],
    ["a/*", "/Not OK", "can begin a repository's name"],
  ];
  test.each([...refused])("%s to %s with stripPrefix is refused", (prefix, destination, says) => {
    expect(ruleProblem(rule(prefix, destination, true))).toContain(says);
  });
});

describe("names of all upstreams", () => {
  const table = (section: Record<string, unknown>) =>
    new NameTable(namedEntries(syncValues(section)));
  const asked = (names: NameTable, repository: string) =>
    names.upstreamsOf(repository).map(({ entry, name }) => `${entry.hosts.join(",")} ${name}`);

  test("row 3: the shorthand has one repository for each spelling, and Docker Hub also the root", () => {
    const names = table({ mirrors: ["docker.io", "ghcr.io", "http://registry.local:5000"] });
    expect(names.canonical("docker.io/alpine")).toBe("docker.io/library/alpine");
    expect(names.canonical("docker.io/library/alpine")).toBe("docker.io/library/alpine");
    expect(names.canonical("ghcr.io/alpine")).toBe("ghcr.io/alpine");
    expect(names.atRoot("alpine")).toBe("docker.io/library/alpine");
    expect(names.atRoot("team/app")).toBe("docker.io/team/app");
    expect(asked(names, "docker.io/alpine")).toEqual(["docker.io library/alpine"]);
    expect(asked(names, "ghcr.io/a/b")).toEqual(["ghcr.io a/b"]);
    expect(asked(names, "registry.local_5000/a")).toEqual(["registry.local:5000 a"]);
    expect(asked(names, "ghcr.io")).toEqual([]);
    expect(asked(names, "alpine")).toEqual([]);
    expect(table({ mirrors: ["ghcr.io"] }).atRoot("alpine")).toBeNull();
  });

  test("row 3: in zot's dialect a name at Docker Hub is as it was asked", () => {
    const names = table({ registries: [{ urls: ["https://index.docker.io"], onDemand: true }] });
    expect(asked(names, "registry")).toEqual(["docker.io registry"]);
    expect(names.localName("docker.io", "registry")?.repository).toBe("registry");
    expect(names.canonical("docker.io/registry")).toBe("docker.io/registry");
  });

  test("rows 2 and 4: ns chooses among the upstreams that are configured, however it is spelled", () => {
    const names = table({
      mirrors: ["docker.io"],
      registries: [
        {
          urls: ["https://quay.io", "http://spare.local:5000"],
          onDemand: true,
          content: [{ prefix: "team/**", destination: "/q" }],
        },
        {
          urls: ["https://quay.io"],
          onDemand: true,
          content: [{ prefix: "**", destination: "/all" }],
        },
      ],
    });
    for (const ns of ["docker.io", "DOCKER.IO:443", "registry-1.docker.io", "index.docker.io."]) {
      expect(names.localName(ns, "nginx"), ns).toEqual({
        repository: "docker.io/library/nginx",
        host: "docker.io",
      });
    }
    expect(names.localName("quay.io", "team/app")?.repository).toBe("q/team/app");
    expect(names.localName("spare.local:5000", "team/app")?.repository).toBe("q/team/app");
    expect(names.localName("quay.io", "other/app")?.repository).toBe("all/other/app");
    expect(asked(names, "q/team/app")).toEqual(["quay.io,spare.local:5000 team/app"]);
    for (const ns of [
      "evil.example",
      "169.254.169.254",
      "docker.io:5000",
      "",
      "a b",
      "quay.io/x",
    ]) {
      expect(names.localName(ns, "nginx"), ns).toBeNull();
    }
  });

  test("a client may say the registry twice: by ns, and by the path of its mirror", () => {
    const names = table({ mirrors: ["docker.io", "ghcr.io"] });
    expect(names.localName("ghcr.io", "ghcr.io/owner/app")?.repository).toBe("ghcr.io/owner/app");
    expect(names.localName("docker.io", "docker.io/nginx")?.repository).toBe(
      "docker.io/library/nginx",
    );
    expect(names.localName("ghcr.io", "docker.io/nginx")?.repository).toBe(
      "ghcr.io/docker.io/nginx",
    );
  });

  test("what is only copied from time to time answers no pull", () => {
    const names = table({
      registries: [{ urls: ["https://quay.io"], pollInterval: "1h", content: [{ prefix: "**" }] }],
    });
    expect(names.localName("quay.io", "a")).toBeNull();
    expect(asked(names, "a")).toEqual([]);
  });
});
