/**
 * TABLE of clients: what each has to be told to pull through this registry, as files for its machine.
 *
 * Only upstreams that are mirrored stand in them, under the names that they have here. What a client cannot be told is a
 * remark.
 */

/** An upstream that is mirrored, as clients need to know it. Plain values: a server tells them. */
export interface MirroredHost {
  /** As images name it, such as `docker.io`. */
  readonly host: string;
  /** Where its clients go without a mirror: `https://registry-1.docker.io`. */
  readonly server: string;
  /** Whether names without a host mean it: of Docker Hub, for dockerd. */
  readonly atRoot: boolean;
  /** Which of its names are here, and as what, by the beginnings of both. */
  readonly mappings: readonly NameMapping[];
}

/** The beginning of names at the upstream, and what stands in its place here; "" is all names. */
export interface NameMapping {
  readonly upstream: string;
  readonly local: string;
}

/** The registry as its clients reach it. */
export interface MirrorPlace {
  /** `zot.example:5000`. */
  readonly address: string;
  readonly isTls: boolean;
  /** File on the client's machine with the certificate to trust; null where the machine trusts it. */
  readonly ca: string | null;
  /** Whether anybody may pull there without a login; null where that is not known. */
  readonly isOpen: boolean | null;
}

export interface SnippetFile {
  /** Where the client reads it. */
  readonly path: string;
  readonly text: string;
}

export interface Snippet {
  readonly files: readonly SnippetFile[];
  /** What to do once the files are there. */
  readonly apply: string;
  /** What will not work, or needs a hand, in one line each. */
  readonly remarks: readonly string[];
}

interface Client {
  /** As people call it. */
  readonly title: string;
  readonly snippet: (place: MirrorPlace, hosts: readonly MirroredHost[]) => Snippet;
}

export const dockerHub = "docker.io";
const containersPath = "/etc/containers/registries.conf.d/50-zot.conf";

export const clients = {
  containerd: { title: "containerd, nerdctl, kind, Kubernetes on containerd", snippet: containerd },
  docker: { title: "Docker", snippet: docker },
  podman: {
    title: "Podman, Buildah, skopeo",
    snippet: (place, hosts) => containersImage(place, hosts, "Nothing has to be restarted."),
  },
  crio: {
    title: "CRI-O",
    snippet: (place, hosts) => containersImage(place, hosts, "systemctl reload crio"),
  },
  buildkit: { title: "BuildKit, docker buildx", snippet: buildkit },
  k3s: { title: "k3s", snippet: (place, hosts) => rancher(place, hosts, "k3s") },
  rke2: { title: "RKE2", snippet: (place, hosts) => rancher(place, hosts, "rke2") },
} as const satisfies Record<string, Client>;

export type ClientName = keyof typeof clients;

/** https://github.com/containerd/containerd/blob/main/docs/hosts.md */
function containerd(place: MirrorPlace, hosts: readonly MirroredHost[]): Snippet {
  const files = hosts.map(({ host, server }) => ({
    path: `/etc/containerd/certs.d/${host}/hosts.toml`,
    text: [
      `server = ${quoted(server)}`,
      "",
      `[host.${quoted(urlOf(place))}]`,
      '  capabilities = ["pull", "resolve"]',
      '  dial_timeout = "5s"',
      ...(place.ca === null ? [] : [`  ca = ${quoted(place.ca)}`]),
      "",
    ].join("\n"),
  }));
  return {
    files,
    apply:
      'Nothing has to be restarted, once /etc/containerd/config.toml has config_path = "/etc/containerd/certs.d".',
    remarks: [],
  };
}

/** https://docs.docker.com/docker-hub/image-library/mirror/ */
function docker(place: MirrorPlace, hosts: readonly MirroredHost[]): Snippet {
  const hub = hosts.find(({ host }) => host === dockerHub);
  if (hub === undefined) {
    return {
      files: [],
      apply: "",
      remarks: [`Docker asks mirrors for ${dockerHub} alone, which is not mirrored here`],
    };
  }
  const settings = { "registry-mirrors": [urlOf(place)] };
  const trust =
    place.ca === null
      ? []
      : [`Docker trusts the certificate in /etc/docker/certs.d/${place.address}/ca.crt`];
  const root = hub.atRoot
    ? []
    : [
        `names of ${dockerHub} stand below another name here: only Docker with the containerd image store finds them`,
      ];
  const login =
    place.isOpen === false
      ? [
          "Docker cannot log in to a mirror, and this one wants a login: it will pull from Docker Hub instead. Let anonymous callers read there",
        ]
      : [];
  return {
    files: [{ path: "/etc/docker/daemon.json", text: `${JSON.stringify(settings, null, 2)}\n` }],
    apply: "systemctl reload docker",
    remarks: [...trust, ...root, ...login],
  };
}

/** containers-registries.conf(5). */
function containersImage(
  place: MirrorPlace,
  hosts: readonly MirroredHost[],
  apply: string,
): Snippet {
  const rules = hosts.flatMap(({ host, mappings }) =>
    mappings.map(({ upstream, local }) => {
      const there = joined(host, upstream);
      return [
        "[[registry]]",
        `prefix = ${quoted(there)}`,
        `location = ${quoted(there)}`,
        "",
        "[[registry.mirror]]",
        `location = ${quoted(joined(place.address, local))}`,
        ...(place.isTls ? [] : ["insecure = true"]),
        "",
      ].join("\n");
    }),
  );
  const trust =
    place.ca === null
      ? []
      : [`they trust the certificate in /etc/containers/certs.d/${place.address}/ca.crt`];
  return {
    files: [{ path: containersPath, text: rules.join("\n") }],
    apply,
    remarks: trust,
  };
}

/** https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md. It sends the upstream's host with every request. */
function buildkit(place: MirrorPlace, hosts: readonly MirroredHost[]): Snippet {
  const mirrors = hosts.map(({ host }) =>
    [`[registry.${quoted(host)}]`, `  mirrors = [${quoted(place.address)}]`, ""].join("\n"),
  );
  const own = [
    ...(place.isTls ? [] : ["  http = true"]),
    ...(place.ca === null ? [] : [`  ca = [${quoted(place.ca)}]`]),
  ];
  const ours = [`[registry.${quoted(place.address)}]`, ...own, ""].join("\n");
  const text = [...mirrors, ...(own.length === 0 ? [] : [ours])].join("\n");
  return {
    files: [{ path: "/etc/buildkit/buildkitd.toml", text }],
    apply: "docker buildx create --use --buildkitd-config /etc/buildkit/buildkitd.toml",
    remarks: [],
  };
}

/** https://docs.k3s.io/installation/private-registry */
function rancher(place: MirrorPlace, hosts: readonly MirroredHost[], name: string): Snippet {
  const lines = [
    "mirrors:",
    ...hosts.flatMap(({ host }) => [
      `  ${quoted(host)}:`,
      "    endpoint:",
      `      - ${quoted(urlOf(place))}`,
    ]),
    ...(place.ca === null
      ? []
      : [
          "configs:",
          `  ${quoted(place.address)}:`,
          "    tls:",
          `      ca_file: ${quoted(place.ca)}`,
        ]),
    "",
  ];
  return {
    files: [{ path: `/etc/rancher/${name}/registries.yaml`, text: lines.join("\n") }],
    apply: `systemctl restart ${name === "k3s" ? "k3s" : "rke2-server"} (on agents ${name}-agent)`,
    remarks: [],
  };
}

function urlOf({ address, isTls }: MirrorPlace): string {
  return `${isTls ? "https" : "http"}://${address}`;
}

function joined(host: string, name: string): string {
  return name === "" ? host : `${host}/${name}`;
}

/** A string of JSON, which TOML and YAML read as well. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
