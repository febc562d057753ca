/** Choices that this browser remembers: how things look, never who signed in. */

/** `fallback` also where the browser keeps nothing. */
export function remembered(name: string, fallback: string): string {
  try {
    return window.localStorage.getItem(`zot.${name}`) ?? fallback;
  } catch {
    return fallback;
  }
}

export function remember(name: string, value: string): void {
  try {
    window.localStorage.setItem(`zot.${name}`, value);
  } catch {
    // A browser that keeps nothing is asked again the next time.
  }
}
