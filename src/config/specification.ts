// The version of the distribution specification that this registry follows.
//
// It has a file of its own so that `--version` can print it without loading the schema.

/** The released version; what was added to the specification's main branch since is served, too. */
export const DIST_SPEC_VERSION = "1.1.1";
