// Why a target is not met, by the target's id: shown on the page beside each target that a run missed.
//
// A reason is a measured one: what the time or memory goes to, and what would change it. Remove a row when its target
// is met for good.

export const reasons: Readonly<Record<string, string>> = {
  "put-100-mib/floor-file":
    "this floor reads from memory what a server has to receive from a socket. Receiving and writing alone, with no hash, " +
    "cost about half of the floor; `floor-loopback`, which receives its bytes as well, is the floor that a server can reach. " +
    "The registry also flushes the blob to disk, and its hashing thread reads it back once from the page cache.",
};
