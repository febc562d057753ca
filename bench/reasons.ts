// Why a target is not met, by the target's id: shown on the page beside each target that a run missed.
//
// A reason is a measured one: what the time or memory goes to, and what would change it. Remove a row when its target
// is met for good.

export const reasons: Readonly<Record<string, string>> = {};
