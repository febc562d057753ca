/** Why the files of a layer cannot be listed: what completes the line "layer sha256:…: ". */
export class LayerProblem extends Error {
  override readonly name = "LayerProblem";
}
