/** The head of every page: where one is, the search, the pages that there are, and who is signed in. */
import { useEffect, useState } from "preact/hooks";
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
        <Link to="" class="brand" aria-label={`Home of ${window.location.host}`}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9" />
            <path d="M10 10.500h12L10 21.500h12" />
          </svg>
          <span>{window.location.host}</span>
        </Link>
        {isIn && <SearchField text={place.query.get("q") ?? ""} />}
        <div class="tools">
          <ThemeButton />
          <Account now={now} />
        </div>
      </div>
      {isIn && (
        <nav aria-label="Pages">
          {entries
            .filter(({ isShown }) => isShown(now))
            .map(({ path, label }) => (
              <Link
                key={path}
                to={path}
                aria-current={isCurrent(place.path, path) ? "page" : undefined}
              >
                {label}
              </Link>
            ))}
        </nav>
      )}
    </header>
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
        <button type="button" onClick={() => void signOut()}>
          Sign out
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
