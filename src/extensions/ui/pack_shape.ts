/**
 * What the built interface holds, as one file of JSON: every file of the pages, compressed in both ways that browsers
 * take.
 */

/** A file that the page loads. Its name changes with its content. */
export interface PackedFile {
  readonly type: string;
  /** In base64. */
  readonly br: string;
  readonly gzip: string;
}

export interface InterfacePack {
  /** Files that went into it, below the directory of the package, and the digest of their contents. */
  readonly inputs: readonly string[];
  readonly inputsDigest: string;
  /** The page, with `<base>` still to come. */
  readonly html: string;
  readonly files: Readonly<Record<string, PackedFile>>;
}
