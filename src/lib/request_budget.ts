// Limits what one request may cost, whatever it contains.
//
// One object for each request, drawn on by everything whose cost the sender chooses: conditions of policies over the
// request's headers, patterns, globs of API keys, lists, manifests. A step is about a microsecond or less. When the steps are
// used up the request ends (`BudgetSpent`, an API error of its own): it is never taken for a decision.

/** The request would cost more than one request may. Never caught on the way to its answer. */
export class BudgetSpent extends Error {
  override readonly name = "BudgetSpent";
}

/** Steps of one request: some tenths of a second at most. */
export const requestStepsMax = 200_000;
/** What a list grants for each entry that it looks at: how many there are is not the sender's choice. */
export const stepsPerEntry = 1_000;
/** Bytes of a manifest that are parsed for the price of one step, whatever is in them. */
export const parsedBytesPerStep = 32;

export class RequestBudget {
  #left: number;
  #spent = 0;

  constructor(steps = requestStepsMax) {
    this.#left = steps;
  }

  /** Steps so far: a long list gives others their turn by it. */
  get spent(): number {
    return this.#spent;
  }

  /** @throws BudgetSpent when the steps are used up. */
  spend(steps: number): void {
    this.#left -= steps;
    this.#spent += steps;
    if (this.#left < 0) throw new BudgetSpent("The request costs more than one request may");
  }

  /** Steps for work that the sender did not choose. */
  grant(steps: number): void {
    this.#left += steps;
  }
}
