// How clients push to a registry: commands to copy, and what has to be known before. For the terminal that started it and
// for the page at its address.

export interface PushPlace {
  /** Name or address with a port, as it stands in front of a repository's name. */
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

/** The commands for one place. `host` is to be a host: nothing is escaped for a shell. */
export function pushCommands({ host, isTls, login }: PushPlace): PushCommands {
  const skopeo = isTls ? "" : " --dest-tls-verify=false";
  const podman = isTls ? "" : " --tls-verify=false";
  return {
    notes: notesOf({ host, isTls, login }),
    commands: [
      ...(login === "password"
        ? ([
            ["docker", `docker login ${host}`],
            ["podman, skopeo", `podman login${podman} ${host}`],
          ] as const)
        : []),
      ["docker", `docker tag alpine ${host}/alpine && docker push ${host}/alpine`],
      ["podman", `podman push${podman} alpine ${host}/alpine`],
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
