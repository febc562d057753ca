// The Helm chart: linted, and what it makes of values checked as objects; a server runs by the configuration of one.
//
// helm comes by `go install helm.sh/helm/v3/cmd/helm@v3.22.0` (`.ci/run` keeps it between runs).

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parse } from "yaml";
import { packageDirectory, run, runOk } from "../harness.ts";
import { checkObjects, type Deployed } from "./kubernetes.ts";

const chart = join(packageDirectory, "charts/zot");
const rootDirectory = "/var/lib/registry";
// A helm that Go installed does not know which Kubernetes it is for.
const kube = ["--kube-version", "1.30.0"];
const hasHelm = Bun.which("helm") !== null;
if (!hasHelm)
  console.log("skipped: not installed: helm (go install, see test/examples/chart.test.ts)");

async function made(values: string, ...more: readonly string[]): Promise<Deployed> {
  const file = join(chart, "ci", `${values}-values.yaml`);
  const { stdout } = await runOk("helm", ["template", "zot", chart, ...kube, "-f", file, ...more]);
  return checkObjects(stdout, rootDirectory);
}

async function refused(...values: readonly string[]): Promise<string> {
  const { code, stderr } = await run("helm", ["template", "zot", chart, ...kube, ...values]);
  expect(code).not.toBe(0);
  return stderr;
}

describe.skipIf(!hasHelm)("charts/zot", () => {
  test.each(["single", "replicas"])("lint of %s", async (values) => {
    const file = join(chart, "ci", `${values}-values.yaml`);
    await runOk("helm", ["lint", "--strict", chart, "-f", file]);
  });

  test("one pod with a volume", async () => {
    const { text, kinds, replicas, strategy } = await made("single");
    expect(kinds.toSorted()).toEqual([
      "ConfigMap",
      "Deployment",
      "Ingress",
      "PersistentVolumeClaim",
      "Service",
    ]);
    expect({ replicas, strategy }).toEqual({ replicas: 1, strategy: "Recreate" });
    expect(parse(text)).toMatchObject({
      http: { address: "0.0.0.0", auth: { htpasswd: { path: "/etc/zot-users/htpasswd" } } },
    });
  });

  test("replicas without a volume", async () => {
    const { text, kinds, replicas, strategy } = await made("replicas");
    expect(kinds).not.toContain("PersistentVolumeClaim");
    expect(kinds).toContain("PodDisruptionBudget");
    expect({ replicas, strategy }).toEqual({ replicas: 3, strategy: "RollingUpdate" });
    expect(parse(text)).toMatchObject({
      extensions: { metrics: { enable: true } },
      storage: { metadata: { url: "${ZOT_DATABASE_URL}" }, storageDriver: { name: "s3" } },
    });
  });

  test("autoscaling gives the number of pods to the autoscaler", async () => {
    const { kinds, replicas } = await made("replicas", "--set", "autoscaling.enabled=true");
    expect(kinds).toContain("HorizontalPodAutoscaler");
    expect(replicas).toBeUndefined();
  });

  test.each([
    [["--set", "replicaCount=2"], "replicaCount: expected 1, or config.storage.storageDriver"],
    [["--set", "config.http.port=1"], "/config/http/port"],
    [["--set", "replica=2"], "additional properties 'replica' not allowed"],
    [["--set", "image.digest=latest"], "/image/digest"],
  ])("%p is refused", async (values, line) => {
    expect(await refused(...values)).toContain(line);
  });
});
