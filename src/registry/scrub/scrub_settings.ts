/** What the job of checks is given of its options. */
export interface ScrubSettings {
  readonly enable: boolean;
  /** Milliseconds from the beginning of a round to that of the next one. */
  readonly interval: number;
}

/** As in zot: a shorter interval counts as this one. */
export const intervalMsMin = 2 * 60 * 60_000;
