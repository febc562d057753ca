// How clients push to a registry: commands to copy, and what has to be known before. For the terminal that started it and
// for the page at its address.

export interface PushPlace {
  /** Name or address with a port, as it stands in front of a repository's name; a path behind it is one of a proxy. */
  readonly host: string;
  readonly isTls: boolean;
  readonly login: "none" | "password" | "certificate";
}

export interface PushCommands {
  /** What to do first, in sentences. */
  readonly notes: readonly string[];
  /** Command lines by the name of the client. */
  readonly commands: readonly (readonly [client: string, command: string])[];
}

/** Where a proxy serves the registry below a path, which no client can be told. */
export const pathNote =
  "Clients know no path: these lines work where the proxy leads /v2/ of this name here, too.";

/** The commands for one place. `host` is to be a host: nothing is escaped for a shell. */
export function pushCommands({ host: at, isTls, login }: PushPlace): PushCommands {
  const host = at.split("/", 1)[0] ?? at;
  const skopeo = isTls ? "" : " --dest-tls-verify=false";
  const podman = isTls ? "" : " --tls-verify=false";
  return {
    notes: [...notesOf({ host, isTls, login }), ...(at.includes("/") ? [pathNote] : [])],
    commands: [
      ...(login === "password"
        ? ([
            ["docker", `docker login ${host}`],
            ["podman, skopeo", `podman login${podman} ${host}`],
          ] as const)
        : []),
      [
        "docker",
        `docker pull alpine && docker tag alpine ${host}/alpine && docker push ${host}/alpine`,
      ],
      [
        "podman",
        `podman pull docker.io/library/alpine && podman push${podman} alpine ${host}/alpine`,
      ],
      ["skopeo", `skopeo copy${skopeo} docker://docker.io/library/alpine docker://${host}/alpine`],
    ],
  };
}

function notesOf({ host, isTls, login }: PushPlace): string[] {
  const notes: string[] = [];
  if (login === "password") notes.push("Log in first.");
  if (login === "certificate")
    notes.push("Clients show a certificate of an authority of this registry.");
  if (isTls) {
    notes.push(
      "Where its certificate is of an authority of your own, clients must know that authority.",
    );
  } else if (!/^(localhost|127\.|\[::1\])/.test(host)) {
    notes.push(`It speaks plain HTTP: docker needs "${host}" in its insecure-registries.`);
  }
  return notes;
}
