/** Reads bytes that come in pieces of any size as parts of known sizes. */

export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** So many bytes at once, which a caller bounds; fewer at the end. */
  async take(bytes: number): Promise<Uint8Array> {
    if (this.#piece.length >= bytes) return this.#cut(bytes);
    const parts: Uint8Array[] = [];
    await this.pass(bytes, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  /** Hands on so many bytes as they come; gives how many there were. */
  async pass(bytes: number, onPart: (part: Uint8Array) => void): Promise<number> {
    let left = bytes;
    while (left > 0) {
      if (this.#piece.length === 0 && !(await this.#next())) break;
      const part = this.#cut(left);
      left -= part.length;
      onPart(part);
    }
    return bytes - left;
  }

  /** Ends the reading: nobody wants the rest. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #next(): Promise<boolean> {
    const { value, done } = await this.#pieces.next();
    if (done === true) return false;
    this.#piece = value;
    return true;
  }

  #cut(bytes: number): Uint8Array {
    const part = this.#piece.subarray(0, bytes);
    this.#piece = this.#piece.subarray(part.length);
    return part;
  }
}
