// A process of its own that moves a repository's counter once: `epoch_process.ts <path> <repository>`.

import { Epochs } from "../../src/metadata/epochs.ts";

const [path = "", repository = ""] = process.argv.slice(2);
new Epochs(path).bump(repository);
