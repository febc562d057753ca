/**
 * The elements of one array in a JSON document that comes in pieces, such as the `manifests` of an index.json.
 *
 * The document is an object and the array one of its members. Each element comes as text as soon as it is whole; the
 * rest of the document is kept, with a 0 in the place of each element, and is given at the end. A
 * caller that parses the elements and the rest has checked every byte, with one element in memory at a time.
 */
export interface JsonElementsOptions {
  /** Name of the member that holds the array. */
  readonly member: string;
  /** Bytes of one element, and of the rest of the document. */
  readonly bytesMax: number;
}

const code = {
  quote: 0x22,
  comma: 0x2c,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;
/** Depth of the members of the document, and of the elements of its arrays. */
const memberDepth = 1;
const elementDepth = 2;
const placeholder = "0";

export class JsonElements {
  readonly #options: JsonElementsOptions;
  readonly #decoder = new TextDecoder();
  /** Copies of what belongs to the element, or to the stretch of the rest, that is being read. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  readonly #rest: string[] = [];
  #restBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inArray = false;
  /** The last string among the document's own members: a name, when an array follows. */
  #name: number[] = [];

  constructor(options: JsonElementsOptions) {
    this.#options = options;
  }

  /** Takes the next bytes, and gives the elements that are whole now. @throws SyntaxError when a part is too long. */
  push(chunk: Uint8Array): string[] {
    const elements: string[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      if (this.#inString) {
        at = this.#skipString(chunk, at);
        continue;
      }
      switch (chunk[at]) {
        case code.quote:
          this.#inString = true;
          this.#name = [];
          break;
        case code.openBrace:
        case code.openBracket:
          this.#depth += 1;
          if (this.#startsArray(chunk[at])) {
            this.#endRest(chunk.subarray(from, at + 1));
            this.#inArray = true;
            from = at + 1;
          }
          break;
        case code.closeBrace:
        case code.closeBracket:
          if (this.#inArray && this.#depth === elementDepth) {
            this.#endElement(chunk.subarray(from, at), elements);
            this.#inArray = false;
            from = at;
          }
          this.#depth -= 1;
          break;
        case code.comma:
          if (!this.#inArray || this.#depth !== elementDepth) break;
          this.#endElement(chunk.subarray(from, at), elements);
          this.#rest.push(",");
          from = at + 1;
          break;
      }
    }
    this.#keep(chunk.subarray(from));
    return elements;
  }

  /** The rest of the document. @throws SyntaxError when it ends inside of the array. */
  end(): string {
    if (this.#inArray) throw new SyntaxError("it ends in the middle");
    this.#endRest(new Uint8Array());
    return this.#rest.join("");
  }

  /** Goes on in a string from `at`; returns the position of its last byte in this chunk. */
  #skipString(chunk: Uint8Array, at: number): number {
    const keepsName = this.#depth === memberDepth;
    let escaped = this.#escaped;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (escaped) {
        escaped = false;
      } else if (byte === code.backslash) {
        escaped = true;
      } else if (byte === code.quote) {
        this.#inString = false;
        break;
      }
      if (keepsName && this.#name.length <= this.#options.member.length) this.#name.push(byte);
    }
    this.#escaped = escaped;
    return at;
  }

  #startsArray(byte: number | undefined): boolean {
    if (byte !== code.openBracket || this.#depth !== elementDepth) return false;
    return String.fromCharCode(...this.#name) === this.#options.member;
  }

  #endRest(bytes: Uint8Array): void {
    this.#keep(bytes);
    this.#restBytes += this.#openBytes;
    this.#rest.push(this.#take());
  }

  #endElement(bytes: Uint8Array, elements: string[]): void {
    this.#keep(bytes);
    const element = this.#take();
    // An empty array has none; a comma with nothing beside it is found in the rest.
    if (element.trim() === "") return;
    elements.push(element);
    this.#rest.push(placeholder);
  }

  /** The chunk may be used again by whoever gave it, so what is kept is copied. */
  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#openBytes += bytes.length;
    const { bytesMax } = this.#options;
    if (this.#openBytes + (this.#inArray ? 0 : this.#restBytes) > bytesMax) {
      throw new SyntaxError(`a part of it has more than ${bytesMax} bytes`);
    }
    this.#open.push(bytes.slice());
  }

  #take(): string {
    const [first] = this.#open;
    const whole = this.#open.length === 1 ? first : Buffer.concat(this.#open);
    this.#open = [];
    this.#openBytes = 0;
    return this.#decoder.decode(whole);
  }
}
