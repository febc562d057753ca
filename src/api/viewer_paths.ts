// Where the viewer's package has its files; the bundler puts them into executables. Not there in the npm package.

import icon from "swagger-ui-dist/favicon-32x32.png" with { type: "file" };
import script from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import style from "swagger-ui-dist/swagger-ui.css" with { type: "file" };

export const viewerPaths = {
  "swagger-ui-bundle.js": script,
  "swagger-ui.css": style,
  "favicon-32x32.png": icon,
} as const;
