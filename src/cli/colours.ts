// Colours of a terminal, for what is printed to people. Elsewhere texts stay as they are.

const codes = {
  bold: ["\u001B[1m", "\u001B[22m"],
  dim: ["\u001B[2m", "\u001B[22m"],
  green: ["\u001B[32m", "\u001B[39m"],
  red: ["\u001B[31m", "\u001B[39m"],
  yellow: ["\u001B[33m", "\u001B[39m"],
} as const;

export type Colour = keyof typeof codes;

/** Paints texts that have nothing in them that moves the cursor. */
export function paint(isColoured: boolean): (colour: Colour, text: string) => string {
  return (colour, text) => {
    const [on, off] = codes[colour];
    return isColoured && text !== "" ? `${on}${text}${off}` : text;
  };
}

/** The beginning of a digest, as people compare them: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(":");
  return digest.slice(0, colon + 1 + 12);
}
