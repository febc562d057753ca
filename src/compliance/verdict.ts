// How a case ends early: the four ways out of `run` besides returning, as errors.
//
// Only these (and ClientError) are expected; anything else that a case throws is a fault of the
// suite and reported as `error`, so that "the registry is wrong" and "the test is broken" never mix.

/** The rule is not kept. Level `must` makes it failed, others unsupported. */
export class Broken extends Error {
  override readonly name: string = "Broken";
}

/** Worse than a missing feature, whatever the level: wrong content, lost data. Always failed. */
export class Wrong extends Broken {
  override readonly name = "Wrong";
}

/** An optional thing is not there. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

/** The case cannot be tried here. */
export class Skipped extends Error {
  override readonly name = "Skipped";
}
