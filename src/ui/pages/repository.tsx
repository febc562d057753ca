/** A repository or an image in it, by the address: `name`, `name:tag` or `name@digest`. */
import { useTitle } from "../core/title.ts";
import { Image } from "./image.tsx";
import { Tags } from "./tags.tsx";

export function Repository({ name: given }: { readonly name: string }) {
  const at = given.indexOf("@");
  const colon = given.indexOf(":");
  const end = at === -1 ? colon : at;
  const name = end === -1 ? given : given.slice(0, end);
  const reference = end === -1 ? null : given.slice(end + 1);
  useTitle(given);
  if (reference === null) return <Tags key={name} repository={name} />;
  return <Image key={given} repository={name} reference={reference} />;
}
