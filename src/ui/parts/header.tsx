/** The head of every page: where one is, the search, the pages that there are, and who is signed in. */
import { useEffect, useRef, useState } from "preact/hooks";
import { host } from "../core/registry_place.ts";
import { remember, remembered } from "../core/remembered.ts";
import { addressOf, go, Link, usePlace } from "../core/router.tsx";
import { canSignIn, session, signOut, type Session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { Icon } from "./icons.tsx";

const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];

interface Entry {
  readonly path: string;
  readonly label: string;
  readonly isShown: (session: Session) => boolean;
}

const entries: readonly Entry[] = [
  { path: "", label: "Repositories", isShown: () => true },
  { path: "compare", label: "Compare", isShown: () => true },
  { path: "storage", label: "Storage", isShown: () => true },
  { path: "plan", label: "Plan", isShown: ({ isAdministrator }) => isAdministrator },
  { path: "state", label: "State", isShown: ({ isAdministrator }) => isAdministrator },
  {
    path: "mirrors",
    label: "Mirrors",
    isShown: ({ isAdministrator, settings }) => isAdministrator && settings.hasMirrors,
  },
  { path: "keys", label: "Keys", isShown: ({ settings }) => settings.hasKeys },
];

export function Header() {
  const place = usePlace();
  const now = useStore(session);
  const isIn = now.state === "welcome";
  return (
    <header class="head">
      <div class="bar">
        <Link to="" class="brand" aria-label={`Home of ${host}`}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" />
            <path d="M10 10.500h12L10 21.500h12" />
          </svg>
          <span>{host}</span>
        </Link>
        {isIn && <SearchField text={place.query.get("q") ?? ""} />}
        <div class="tools">
          <ThemeButton />
          <Account now={now} />
        </div>
      </div>
      {isIn && <Pages shown={entries.filter(({ isShown }) => isShown(now))} at={place.path} />}
    </header>
  );
}

/** Entries that stand in one line of a phone; of more the rest folds. */
const inLineMax = 4;
const narrow = window.matchMedia("(max-width: 720px)");

function Pages({ shown, at }: { readonly shown: readonly Entry[]; readonly at: string }) {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const onChange = (): void => setNarrow(narrow.matches);
    narrow.addEventListener("change", onChange);
    return () => narrow.removeEventListener("change", onChange);
  }, []);
  const isFolded = isNarrow && shown.length > inLineMax;
  const inLine = isFolded ? shown.slice(0, inLineMax - 1) : shown;
  const rest = isFolded ? shown.slice(inLineMax - 1) : [];
  return (
    <nav aria-label="Pages">
      {inLine.map((entry) => (
        <PageLink key={entry.path} entry={entry} at={at} />
      ))}
      {rest.length > 0 && <More key={at} rest={rest} at={at} />}
    </nav>
  );
}

function PageLink({ entry, at }: { readonly entry: Entry; readonly at: string }) {
  return (
    <Link to={entry.path} aria-current={isCurrent(at, entry.path) ? "page" : undefined}>
      {entry.label}
    </Link>
  );
}

/** The rest of the pages, as a list that unfolds. */
function More({ rest, at }: { readonly rest: readonly Entry[]; readonly at: string }) {
  const place = useRef<HTMLDetailsElement>(null);
  const current = rest.find(({ path }) => isCurrent(at, path));
  const close = (): void => {
    if (place.current !== null) place.current.open = false;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || place.current?.open !== true) return;
    close();
    place.current.querySelector("summary")?.focus();
  };
  const onFocusOut = (event: FocusEvent): void => {
    const { relatedTarget } = event;
    const isInside = relatedTarget instanceof Node && place.current?.contains(relatedTarget);
    if (isInside !== true) close();
  };
  return (
    <details ref={place} onKeyDown={onKeyDown} onFocusOut={onFocusOut}>
      <summary aria-current={current === undefined ? undefined : "true"}>
        {current?.label ?? "More"}
      </summary>
      <ul>
        {rest.map((entry) => (
          <li key={entry.path}>
            <PageLink entry={entry} at={at} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function isCurrent(path: string, entry: string): boolean {
  if (entry === "") return path === "" || /^(r|untagged|history)\//.test(path);
  return path === entry || path.startsWith(`${entry}/`);
}

function SearchField({ text }: { readonly text: string }) {
  const [value, setValue] = useState(text);
  useEffect(() => setValue(text), [text]);
  const search = (event: Event): void => {
    event.preventDefault();
    go(addressOf("", value.trim() === "" ? null : new URLSearchParams({ q: value.trim() })));
  };
  return (
    <form role="search" onSubmit={search}>
      <Icon name="search" />
      <input
        id="search"
        type="search"
        name="q"
        placeholder="Find a repository, name:tag or sha256:…"
        aria-label="Find a repository, a tag or a digest"
        autocomplete="off"
        spellcheck={false}
        maxLength={256}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() => themeOf(remembered("theme", "auto")));
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    remember("theme", theme);
  }, [theme]);
  const isDark =
    theme === "dark" ||
    (theme === "auto" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  return (
    <button
      type="button"
      class="copy"
      aria-label={isDark ? "Change to light colours" : "Change to dark colours"}
      onClick={() => setTheme(isDark ? "light" : "dark")}
    >
      <Icon name={isDark ? "sun" : "moon"} />
    </button>
  );
}

function themeOf(text: string): Theme {
  return themes.find((each) => each === text) ?? "auto";
}

function Account({ now }: { readonly now: Session }) {
  if (now.name !== null) {
    return (
      <span class="account">
        <Icon name="person" />
        <span class="name">{now.name}</span>
        <button type="button" onClick={() => void signOut()} aria-label="Sign out">
          <Icon name="out" />
          <span class="word">Sign out</span>
        </button>
      </span>
    );
  }
  if (!canSignIn(now) || now.state !== "welcome") return null;
  return (
    <Link to="signin" class="button">
      Sign in
    </Link>
  );
}
