/** How to push to a repository that has no tags yet. */
import { host } from "../core/registry_place.ts";
import { Command } from "./basics.tsx";

export function PushTo({ repository }: { readonly repository: string }) {
  const image = `${host}/${repository}`;
  const text = `docker tag my-image ${image}:latest && docker push ${image}:latest`;
  return <Command text={text} says="the command that pushes" />;
}
