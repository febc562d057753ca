/** Configurations of images, which say a platform, labels and a history; those of other artifacts say other things. */
import { essenceOf } from "../lib/http_fields.ts";
import { mediaTypes } from "./media_types.ts";

const configTypes: readonly string[] = [
  mediaTypes.ociConfig,
  "application/vnd.docker.container.image.v1+json",
];

export function isMediaTypeOfConfig(mediaType: string): boolean {
  return configTypes.includes(essenceOf(mediaType));
}
