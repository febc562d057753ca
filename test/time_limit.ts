// Loaded before every test file (bunfig.toml): a test ends by its own condition, and this limit is for one that hangs.
// The runner's default of five seconds is too short for a slow or busy machine.
import { setDefaultTimeout } from "bun:test";

const hangMs = 60_000;

setDefaultTimeout(hangMs);
