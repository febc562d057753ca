/** Signing in by name and password. It stands in the place of a page that needs it, or is a page of its own. */
import { useEffect, useState } from "preact/hooks";
import { go, usePlace } from "../core/router.tsx";
import { session, signIn } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import { Empty } from "../parts/basics.tsx";

export function SignIn() {
  const { settings, name, state } = useStore(session);
  const { path } = usePlace();
  useTitle("Sign in");
  useEffect(() => {
    if (path === "signin" && name !== null) go("", "replace");
  }, [path, name]);
  if (settings.login === "certificate") {
    return (
      <Empty icon="key" title="This registry asks for a certificate" isPage>
        <p>
          Your browser has shown none that it accepts. Add one to the browser, and open the page
          again.
        </p>
      </Empty>
    );
  }
  if (settings.login === "none") {
    return (
      <Empty icon="key" title="This registry has no logins" isPage>
        <p>Everybody who reaches it may do everything.</p>
      </Empty>
    );
  }
  return <Form isGuest={state === "welcome"} />;
}

function Form({ isGuest }: { readonly isGuest: boolean }) {
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await signIn(textOf(data, "username"), textOf(data, "password"));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <div class="signin card">
      <h1>Sign in</h1>
      <p class="dim">
        To <strong>{window.location.host}</strong>
      </p>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          Name
          <input name="username" autocomplete="username" required autofocus spellcheck={false} />
        </label>
        <label>
          Password or API key
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        {problem !== null && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="main" disabled={isBusy}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
        {isGuest && (
          <button type="button" onClick={() => go("")}>
            Go on as a guest
          </button>
        )}
      </form>
      <p class="dim small">
        The password stays in this tab's memory: it is stored nowhere, and forgotten when you close
        or reload the page.
      </p>
    </div>
  );
}

function textOf(data: FormData, name: string): string {
  const value = data.get(name);
  return typeof value === "string" ? value : "";
}
