/** The frame around every page: what stands above them, which page an address means, keys, and messages. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { installKeys } from "./core/keys.ts";
import { startLive } from "./core/live.ts";
import { onOtherPage, usePlace, type Place } from "./core/router.tsx";
import { session, startSession } from "./core/session.ts";
import { useStore } from "./core/store.ts";
import { Empty, Failed, Waiting } from "./parts/basics.tsx";
import { Header } from "./parts/header.tsx";
import { KeysHelp } from "./parts/keys_help.tsx";
import { Toasts } from "./parts/toasts.tsx";
import { Compare } from "./pages/compare.tsx";
import { History } from "./pages/history.tsx";
import { Home } from "./pages/home.tsx";
import { Mirrors } from "./pages/mirrors.tsx";
import { Plan } from "./pages/plan.tsx";
import { Keys } from "./pages/keys.tsx";
import { Repository } from "./pages/repository.tsx";
import { SignIn } from "./pages/sign_in.tsx";
import { State } from "./pages/state.tsx";
import { Storage } from "./pages/storage.tsx";
import { Untagged } from "./pages/untagged.tsx";

/** A page by the beginning of its address; it is given the rest. */
interface Row {
  readonly path: string;
  readonly page: (rest: string, place: Place) => JSX.Element;
}

const rows: readonly Row[] = [
  { path: "signin", page: () => <SignIn /> },
  { path: "storage", page: () => <Storage /> },
  { path: "plan", page: () => <Plan /> },
  { path: "state", page: () => <State /> },
  { path: "mirrors", page: () => <Mirrors /> },
  { path: "r/", page: (rest) => <Repository name={rest} /> },
  { path: "untagged/", page: (rest) => <Untagged key={rest} name={rest} /> },
  { path: "history/", page: (rest) => <History key={rest} name={rest} /> },
  { path: "compare", page: () => <Compare /> },
  { path: "keys", page: () => <Keys /> },
];

function pageOf(place: Place): JSX.Element {
  const { path } = place;
  if (path === "") return <Home />;
  const row = rows.find((each) =>
    each.path.endsWith("/") ? path.startsWith(each.path) : path === each.path,
  );
  if (row === undefined) {
    return (
      <Empty icon="help" title="There is no such page" isPage>
        <p>The address may be mistyped.</p>
      </Empty>
    );
  }
  return row.page(path.slice(row.path.length), place);
}

export function App() {
  const place = usePlace();
  const { state } = useStore(session);
  const [isHelping, setHelping] = useState(false);
  const main = useRef<HTMLElement>(null);
  useEffect(() => void startSession(), []);
  useEffect(() => (state === "welcome" ? startLive() : undefined), [state]);
  useEffect(() => installKeys(() => setHelping(true)), []);
  // Who cannot see the page hears that it is another one.
  useEffect(() => onOtherPage(() => main.current?.focus({ preventScroll: true })), []);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => jump(event, main.current)}>
        Skip to the content
      </a>
      <Header />
      <main id="main" ref={main} tabIndex={-1}>
        <Gate>{pageOf(place)}</Gate>
      </main>
      <Toasts />
      {isHelping && <KeysHelp onClose={() => setHelping(false)} />}
    </>
  );
}

/** With a `<base>` a fragment would lead to another page. */
function jump(event: Event, target: HTMLElement | null): void {
  event.preventDefault();
  target?.focus();
}

/** Pages are for callers whom the registry welcomes; the address stays, so that signing in leads on. */
function Gate({ children }: { readonly children: ComponentChildren }) {
  const { state } = useStore(session);
  if (state === "starting") return <Waiting lines={6} />;
  if (state === "unreachable") {
    return <Failed message="The registry cannot be reached." onRetry={() => void startSession()} />;
  }
  return state === "refused" ? <SignIn /> : <>{children}</>;
}
