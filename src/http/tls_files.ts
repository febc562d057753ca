/**
 * The TLS material of a running server: read from its files at the start, and again whenever they change.
 *
 * The files are read every `lookMs` and compared as text, which notices a write in place, a rename, and a volume that
 * swaps a link in the middle of the path (Kubernetes' `..data`) alike. Certificate and key change one after the other,
 * so a change is used only when the next look finds the same content. Files that do not fit together, or are gone, are
 * reported once, and `current` stays in use.
 */
import type { Clock } from "../lib/clock.ts";
import {
  checkTls,
  readTlsFiles,
  type TlsFileTexts,
  type TlsMaterial,
  type TlsPaths,
} from "./tls_material.ts";

export interface TlsFilesOptions {
  readonly paths: TlsPaths;
  readonly clock: Clock;
  /** What is unwise about material that is taken. */
  readonly onWarning: (warning: string) => void;
  /** New files could not be taken: one line that says why. */
  readonly onProblem: (problem: string) => void;
  readonly onChange: (material: TlsMaterial) => void;
}

const lookMs = 1000;

export class TlsFiles {
  readonly #options: TlsFilesOptions;
  #current: TlsMaterial;
  /** Content that was taken or refused; and content that was seen once since. */
  #judged: string;
  #seen: string | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #looking = false;

  private constructor(options: TlsFilesOptions, current: TlsMaterial, judged: string) {
    this.#options = options;
    this.#current = current;
    this.#judged = judged;
  }

  /** Reads the files. @throws with one line for the operator when they do not fit together. */
  static async open(options: TlsFilesOptions): Promise<TlsFiles> {
    const files = await readTlsFiles(options.paths);
    const { material, warnings } = checkTls(files, options.clock.now());
    for (const warning of warnings) options.onWarning(warning);
    return new TlsFiles(options, material, contentOf(files));
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  /** Looks from now on until `close`. Does not keep the process alive. */
  follow(): void {
    this.#timer ??= setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One look at the files. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.#judge(await readTlsFiles(this.#options.paths));
    } finally {
      this.#looking = false;
    }
  }

  #judge(files: TlsFileTexts): void {
    const content = contentOf(files);
    const isRest = content === this.#seen;
    this.#seen = content;
    if (content === this.#judged || !isRest) return;
    this.#judged = content;
    const { clock, onWarning, onProblem, onChange } = this.#options;
    try {
      const { material, warnings } = checkTls(files, clock.now());
      for (const warning of warnings) onWarning(warning);
      if (isSame(material, this.#current)) return;
      this.#current = material;
      onChange(material);
    } catch (error) {
      onProblem(error instanceof Error ? error.message : String(error));
    }
  }
}

function contentOf(files: TlsFileTexts): string {
  const { cert, key, cacert } = files;
  return JSON.stringify([cert, key, cacert].map((file) => file?.text ?? file?.problem ?? null));
}

function isSame(a: TlsMaterial, b: TlsMaterial): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}
