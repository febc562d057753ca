// Where an executable has the built interface; the bundler puts it in.

import path from "./built/interface.pack" with { type: "file" };

export const packPath = path;
