/** Where the name of a request leads: a repository here, and where its content may have come from. */

export interface LocatedName {
  readonly repository: string;
  /** The registry that the client meant, as it said it (`?ns=`); null where it said none. */
  readonly namespace: string | null;
  /**
   * Content of which upstream will do: of any, or of this host. "own": of none, since the client meant a registry that
   * is not mirrored here.
   */
  readonly from: "any" | "own" | { readonly host: string };
}

/**
 * Finds where a name leads. Who pushes or deletes means a repository of this registry, whatever the namespace says.
 * @throws an API error for a push into a mirror that takes none.
 */
export type LocateName = (
  name: string,
  namespace: string | null,
  as: "pull" | "push" | "delete",
) => LocatedName | Promise<LocatedName>;
