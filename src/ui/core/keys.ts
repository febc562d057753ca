/**
 * Keys for those who do not want to reach for the mouse: `/` to search, `j` and `k` through rows, `?` for the list.
 *
 * Rows are elements with `data-row`; what a key does with one is a button or link in it with `data-key`.
 */
import { go } from "./router.tsx";

/** For the list of keys, in its order. */
export const keyNames: readonly (readonly [key: string, does: string])[] = [
  ["/", "Search"],
  ["j, k", "Next row, row before"],
  ["Enter", "Open the row"],
  ["x", "Select the row"],
  ["c", "Copy the pull command"],
  ["d", "Delete the row's tag"],
  ["s, b", "Star or bookmark the repository"],
  ["g h", "Go home"],
  ["g s", "Go to the storage map"],
  ["?", "This list"],
  ["Esc", "Close"],
];

/** How long the second key of `g h` is waited for. */
const secondMs = 1_200;
const places: Readonly<Record<string, string>> = {
  h: "",
  s: "storage",
  k: "keys",
  m: "mirrors",
  p: "plan",
};

export function installKeys(showHelp: () => void): () => void {
  let goingUntil = 0;
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    const { key } = event;
    if (performance.now() < goingUntil && Object.hasOwn(places, key)) {
      goingUntil = 0;
      go(places[key] ?? "");
    } else if (key === "g") goingUntil = performance.now() + secondMs;
    else if (key === "/") focusSearch();
    else if (key === "?") showHelp();
    else if (key === "j") moveRow(1);
    else if (key === "k") moveRow(-1);
    else if (!pressInRow(key)) return;
    event.preventDefault();
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("#search");
  field?.focus();
  field?.select();
}

function moveRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? (step > 0 ? 0 : rows.length - 1) : at + step];
  const inside = next?.querySelector<HTMLElement>("a, button");
  inside?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function pressInRow(key: string): boolean {
  if (!/^[a-z]$/.test(key)) return false;
  const row = document.activeElement?.closest("[data-row]") ?? document;
  const target = row.querySelector<HTMLElement>(`[data-key="${key}"]`);
  target?.click();
  return target !== null;
}
