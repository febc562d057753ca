// Objects of Kubernetes that run a registry, of a file or of the chart: they fit each other and the image.

import { expect } from "bun:test";
import { dirname } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { imageUser } from "../../scripts/image/base_files.ts";

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
  readonly spec: {
    readonly accessModes: readonly string[];
    readonly replicas: number;
    readonly strategy: { readonly type: string };
    readonly selector: { readonly matchLabels: object };
    readonly ports: readonly { readonly targetPort: string }[];
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
  };
}

interface Pod {
  readonly securityContext: object;
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string }[];
}

interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly readinessProbe: Container["livenessProbe"];
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface Deployed {
  /** The configuration file of the pods. */
  readonly text: string;
  readonly kinds: readonly string[];
  /** What the probes ask for. */
  readonly probes: readonly string[];
  readonly replicas: number;
  readonly strategy: string;
  readonly pod: Pod;
}

/** Checks what holds for one pod as for replicas; `rootDirectory` is the image's. */
export function checkObjects(yaml: string, rootDirectory: string): Deployed {
  const objects = parseAllDocuments(yaml).map((document) => document.toJS() as KubernetesObject);
  const one = (kind: string): KubernetesObject => {
    const found = objects.filter((each) => each.kind === kind);
    expect(found.map((each) => each.kind)).toEqual([kind]);
    return found[0] as KubernetesObject;
  };
  const [map, { spec }, service] = [one("ConfigMap"), one("Deployment"), one("Service")];
  const pod = spec.template.spec;
  const [container] = pod.containers;
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: imageUser, fsGroup: imageUser },
  });
  expect(container.securityContext).toMatchObject({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
  });
  expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
  expect(service.spec.selector).toEqual(spec.selector.matchLabels as never);

  // Volumes have their mounts, and are of the objects beside them.
  const mounts = Object.fromEntries(
    container.volumeMounts.map((each) => [each.name, each.mountPath]),
  );
  expect(Object.keys(mounts)).toEqual(pod.volumes.map(({ name }) => name));
  const byName = Object.fromEntries(pod.volumes.map((each) => [each.name, each]));
  expect(byName["config"]).toMatchObject({ configMap: { name: map.metadata.name } });
  const claim = objects.find(({ kind }) => kind === "PersistentVolumeClaim");
  const data = claim === undefined ? { emptyDir: {} } : claimOf(claim.metadata.name);
  expect(byName["data"]).toMatchObject(data);
  expect(mounts["data"]).toBe(rootDirectory);

  const [command, configPath = ""] = container.args;
  expect([command, dirname(configPath)]).toEqual(["serve", mounts["config"] ?? ""]);
  const text = map.data[configPath.slice(dirname(configPath).length + 1)] ?? "";
  const config = parse(text) as {
    storage: { rootDirectory: string };
    http: { port: string; auth?: { htpasswd: { path: string } } };
  };
  expect(config.storage.rootDirectory).toBe(rootDirectory);
  const users = config.http.auth?.htpasswd.path;
  if (users !== undefined) expect(Object.values(mounts)).toContain(dirname(users));
  const [port] = container.ports;
  expect(String(port?.containerPort)).toBe(config.http.port);
  expect(service.spec.ports[0]?.targetPort).toBe(port?.name ?? "");
  const probes = [container.livenessProbe, container.readinessProbe].map(({ httpGet }) => {
    expect(httpGet.port).toBe(port?.name ?? "");
    return httpGet.path;
  });
  return {
    text,
    kinds: objects.map(({ kind }) => kind),
    probes,
    replicas: spec.replicas,
    strategy: spec.strategy.type,
    pod,
  };
}

function claimOf(claimName: string): object {
  return { persistentVolumeClaim: { claimName } };
}
