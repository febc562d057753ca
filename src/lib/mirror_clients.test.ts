// Snippets for clients: judged by parsers of their formats here, and by the clients themselves in `test/clients`.

import { describe, expect, test } from "bun:test";
import { clients, type ClientName, type MirroredHost, type MirrorPlace } from "./mirror_clients.ts";

const hub: MirroredHost = {
  host: "docker.io",
  server: "https://registry-1.docker.io",
  atRoot: true,
  mappings: [{ upstream: "", local: "docker.io" }],
};
const quay: MirroredHost = {
  host: "quay.io",
  server: "https://quay.io",
  atRoot: false,
  mappings: [
    { upstream: "team", local: "ours" },
    { upstream: "podman/hello", local: "hello" },
  ],
};
const local: MirroredHost = {
  host: "127.0.0.1:5000",
  server: "http://127.0.0.1:5000",
  atRoot: false,
  mappings: [{ upstream: "", local: "" }],
};
const plain: MirrorPlace = { address: "zot.example:5000", isTls: false, ca: null, isOpen: true };
const trusted: MirrorPlace = {
  address: "zot.example:5000",
  isTls: true,
  ca: "/etc/ssl/zot-ca.pem",
  isOpen: null,
};

function parsed(name: ClientName, place: MirrorPlace, hosts: readonly MirroredHost[]): unknown[] {
  return clients[name].snippet(place, hosts).files.map(({ path, text }) => {
    if (path.endsWith(".json")) return JSON.parse(text);
    return path.endsWith(".yaml") ? Bun.YAML.parse(text) : Bun.TOML.parse(text);
  });
}

const asHost = { capabilities: ["pull", "resolve"], dial_timeout: "5s" };

describe("snippets say where the mirror is", () => {
  const rows: readonly (readonly [ClientName, MirrorPlace, readonly MirroredHost[], unknown[]])[] =
    [
      [
        "containerd",
        plain,
        [hub, local],
        [
          { server: "https://registry-1.docker.io", host: { "http://zot.example:5000": asHost } },
          { server: "http://127.0.0.1:5000", host: { "http://zot.example:5000": asHost } },
        ],
      ],
      [
        "containerd",
        trusted,
        [hub],
        [
          {
            server: "https://registry-1.docker.io",
            host: { "https://zot.example:5000": { ...asHost, ca: "/etc/ssl/zot-ca.pem" } },
          },
        ],
      ],
      ["docker", plain, [hub, quay], [{ "registry-mirrors": ["http://zot.example:5000"] }]],
      ["docker", plain, [quay], []],
      [
        "podman",
        plain,
        [hub, quay],
        [
          {
            registry: [
              {
                prefix: "docker.io",
                location: "docker.io",
                mirror: [{ location: "zot.example:5000/docker.io", insecure: true }],
              },
              {
                prefix: "quay.io/team",
                location: "quay.io/team",
                mirror: [{ location: "zot.example:5000/ours", insecure: true }],
              },
              {
                prefix: "quay.io/podman/hello",
                location: "quay.io/podman/hello",
                mirror: [{ location: "zot.example:5000/hello", insecure: true }],
              },
            ],
          },
        ],
      ],
      [
        "crio",
        trusted,
        [local],
        [
          {
            registry: [
              {
                prefix: "127.0.0.1:5000",
                location: "127.0.0.1:5000",
                mirror: [{ location: "zot.example:5000" }],
              },
            ],
          },
        ],
      ],
      [
        "buildkit",
        plain,
        [hub, quay],
        [
          {
            registry: {
              "docker.io": { mirrors: ["zot.example:5000"] },
              "quay.io": { mirrors: ["zot.example:5000"] },
              "zot.example:5000": { http: true },
            },
          },
        ],
      ],
      [
        "buildkit",
        trusted,
        [hub],
        [
          {
            registry: {
              "docker.io": { mirrors: ["zot.example:5000"] },
              "zot.example:5000": { ca: ["/etc/ssl/zot-ca.pem"] },
            },
          },
        ],
      ],
      [
        "k3s",
        plain,
        [hub, local],
        [
          {
            mirrors: {
              "docker.io": { endpoint: ["http://zot.example:5000"] },
              "127.0.0.1:5000": { endpoint: ["http://zot.example:5000"] },
            },
          },
        ],
      ],
      [
        "rke2",
        trusted,
        [quay],
        [
          {
            mirrors: { "quay.io": { endpoint: ["https://zot.example:5000"] } },
            configs: { "zot.example:5000": { tls: { ca_file: "/etc/ssl/zot-ca.pem" } } },
          },
        ],
      ],
    ];
  test.each(rows)("%s of %j", (name, place, hosts, expected) => {
    expect(parsed(name, place, hosts)).toEqual(expected);
  });

  test("containerd has a directory for each upstream", () => {
    const { files } = clients.containerd.snippet(plain, [hub, local]);
    expect(files.map(({ path }) => path)).toEqual([
      "/etc/containerd/certs.d/docker.io/hosts.toml",
      "/etc/containerd/certs.d/127.0.0.1:5000/hosts.toml",
    ]);
  });
});

describe("what a client cannot do is said", () => {
  const remarks = (name: ClientName, hosts: readonly MirroredHost[], place = plain): string =>
    clients[name].snippet(place, hosts).remarks.join("\n");

  test.each([
    ["Docker mirrors Docker Hub alone", () => remarks("docker", [quay]), /docker\.io alone/],
    [
      "Docker does not log in to a mirror",
      () => remarks("docker", [hub], { ...plain, isOpen: false }),
      /cannot log in to a mirror/,
    ],
    [
      "names of Docker Hub that stand below a prefix",
      () => remarks("docker", [{ ...hub, atRoot: false }]),
      /containerd image store/,
    ],
  ] as const)("%s", (_what, said, expected) => {
    expect(said()).toMatch(expected);
  });

  test("nothing, where all is well", () => {
    for (const name of Object.keys(clients) as ClientName[]) {
      expect(remarks(name, [hub], { ...plain, isTls: true })).toBe("");
    }
  });
});
