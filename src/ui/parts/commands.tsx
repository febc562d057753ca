/** How to get an image or artifact with the client that one has; the choice is remembered. */
import { useState } from "preact/hooks";
import { artifactCommands } from "../../oci/artifact_commands.ts";
import type { ArtifactKind } from "../../oci/artifact_kinds.ts";
import { pathNote } from "../../lib/push_commands.ts";
import { host, isTls, pathOfProxy } from "../core/registry_place.ts";
import { remember, remembered } from "../core/remembered.ts";
import { Command } from "./basics.tsx";

export function Commands({
  kind,
  repository,
  reference,
  digest,
  subject,
}: {
  readonly kind: ArtifactKind;
  readonly repository: string;
  readonly reference: string;
  readonly digest: string;
  readonly subject: string | null;
}) {
  const [client, setClient] = useState(() => remembered("client", "docker"));
  const commands = artifactCommands(kind, {
    host,
    isTls,
    repository,
    tag: reference.includes(":") ? null : reference,
    digest,
    subject,
  });
  const chosen = commands.find(([name]) => name === client) ?? commands[0];
  if (chosen === undefined) return null;
  const [name, line] = chosen;
  return (
    <div class="get">
      <label>
        <span class="said">Client</span>
        <select
          value={name}
          onChange={(event) => {
            setClient(event.currentTarget.value);
            remember("client", event.currentTarget.value);
          }}
        >
          {commands.map(([each]) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <Command text={line} says={`the command of ${name}`} hotkey="c" />
      {pathOfProxy !== "" && <p class="small dim">{pathNote}</p>}
    </div>
  );
}
