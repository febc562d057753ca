/** Where the name of a request leads: a repository here, and where its content may have come from. */
import type { ApiError } from "./errors.ts";

export interface LocatedName {
  readonly repository: string;
  /** The registry that the client meant, as it said it (`?ns=`); null where it said none. */
  readonly namespace: string | null;
  /**
   * Content of which upstream will do: of any, or of this host. "own": of none, since the client meant a registry that
   * is not mirrored here.
   */
  readonly from: "any" | "own" | { readonly host: string };
  /** The answer to who was admitted and all the same may not go on: it says more than a stranger may know. */
  readonly refused?: ApiError;
}

/** Finds where a name leads. Who pushes or deletes means a repository of this registry, whatever the namespace says. */
export type LocateName = (
  name: string,
  namespace: string | null,
  as: "pull" | "push" | "delete",
) => LocatedName | Promise<LocatedName>;
