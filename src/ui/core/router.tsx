/**
 * Addresses and pages: a small router over the browser's history.
 *
 * An address is a path below `<base>` with a query, and holds all that a page shows: `r/team/app:1.0?tab=config`. A name
 * in it is as clients write it, `name:tag` or `name@digest`, since a component of a name may be any word.
 */
import type { ComponentChildren } from "preact";
import { Store, useStore } from "./store.ts";

export interface Place {
  /** Below the base, without a slash before it: `r/team/app`. */
  readonly path: string;
  readonly query: URLSearchParams;
}

const base = new URL(document.baseURI);

function placeNow(): Place {
  const { pathname, search } = window.location;
  const isBelow = pathname.startsWith(base.pathname);
  const path = isBelow ? pathname.slice(base.pathname.length) : "";
  return { path: decoded(path), query: new URLSearchParams(search) };
}

function decoded(path: string): string {
  try {
    return path.split("/").map(decodeURIComponent).join("/").replace(/\/+$/, "");
  } catch {
    return path;
  }
}

const place = new Store<Place>(placeNow());
window.addEventListener("popstate", () => place.set(placeNow()));

export function usePlace(): Place {
  return useStore(place);
}

/** Called when another page was opened, and not when only the query changed. */
export function onOtherPage(listener: () => void): () => void {
  let path = place.value.path;
  return place.watch(() => {
    if (place.value.path === path) return;
    path = place.value.path;
    listener();
  });
}

/** Goes to an address below the base. */
export function go(address: string, how: "push" | "replace" = "push"): void {
  const url = new URL(address === "" ? "./" : address, base);
  if (how === "replace") window.history.replaceState(null, "", url);
  else {
    window.history.pushState(null, "", url);
    if (url.pathname !== base.pathname + place.value.path) window.scrollTo(0, 0);
  }
  place.set(placeNow());
}

/** Changes the query of the address that is open; null takes a member away. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const { path, query } = place.value;
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  go(addressOf(path, next), "replace");
}

export function addressOf(path: string, query: URLSearchParams | null = null): string {
  const text = query?.toString() ?? "";
  const encoded = path.split("/").map(encodeSegment).join("/");
  // A first segment with a colon would be taken for a scheme.
  return `${encoded === "" ? "./" : encoded}${text === "" ? "" : `?${text}`}`;
}

const encodeSegment = (segment: string): string =>
  encodeURIComponent(segment).replaceAll("%3A", ":").replaceAll("%40", "@");

export const repositoryAddress = (name: string): string => addressOf(`r/${name}`);
export const imageAddress = (name: string, reference: string): string =>
  addressOf(`r/${name}${reference.includes(":") ? "@" : ":"}${reference}`);

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly title?: string;
  readonly "aria-current"?: "page" | undefined;
  readonly "aria-label"?: string;
  readonly children?: ComponentChildren;
}

/** A link to a page of ours. The browser opens it as any link where a key or another button asks for that. */
export function Link({ to, children, ...others }: LinkProps) {
  const onClick = (event: MouseEvent): void => {
    const isPlain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (event.defaultPrevented || event.button !== 0 || !isPlain) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a {...others} href={to === "" ? "./" : to} onClick={onClick}>
      {children}
    </a>
  );
}
