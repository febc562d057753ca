/** API keys of who is signed in: made for programs, shown once, revoked. */
import { useState } from "preact/hooks";
import { timeOf } from "../core/format.ts";
import { request, requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import { Chip, Command, Copy, Empty, Shown, Time } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icons.tsx";
import { say, sayProblem } from "../parts/toasts.tsx";

interface Key {
  readonly uuid: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expirationDate: string;
  readonly isExpired: boolean;
  readonly lastUsed: string;
}

const lives: readonly (readonly [days: number, label: string])[] = [
  [30, "30 days"],
  [90, "90 days"],
  [365, "a year"],
  [0, "no end"],
];
const dayMs = 86_400_000;
const path = "zot/auth/apikey";

export function Keys() {
  const { name, settings } = useStore(session);
  useTitle("API keys");
  const [isMaking, setMaking] = useState(false);
  const keys = useLoad(
    name === null || !settings.hasKeys ? null : "keys",
    (signal) => requestJson<{ apiKeys: readonly Key[] }>(path, { signal }),
    false,
  );
  if (!settings.hasKeys) {
    return (
      <Empty icon="key" title="This registry has no API keys" isPage>
        <p>
          <code>http.auth.apikey</code> in its configuration turns them on.
        </p>
      </Empty>
    );
  }
  if (name === null) {
    return (
      <Empty icon="key" title="Sign in to see your keys" isPage>
        <p>A key belongs to a user, and may do at most what the user may.</p>
      </Empty>
    );
  }
  return (
    <>
      <div class="heading page">
        <div>
          <h1>API keys</h1>
          <p class="dim">
            For programs: a key stands in the place of {name}'s password, and may do at most as
            much.
          </p>
        </div>
        <button type="button" class="main" onClick={() => setMaking(true)}>
          New key
        </button>
      </div>
      <Shown loaded={keys}>
        {({ apiKeys }) =>
          apiKeys.length === 0 ? (
            <Empty icon="key" title="No keys yet">
              <p>Make one for each program, so that each can be revoked alone.</p>
            </Empty>
          ) : (
            <KeyTable keys={apiKeys} onChanged={keys.reload} />
          )
        }
      </Shown>
      {isMaking && <NewKey name={name} onClose={() => setMaking(false)} onMade={keys.reload} />}
    </>
  );
}

function KeyTable({
  keys,
  onChanged,
}: {
  readonly keys: readonly Key[];
  readonly onChanged: () => void;
}) {
  const [revoking, setRevoking] = useState<Key | null>(null);
  const revoke = async (key: Key): Promise<void> => {
    setRevoking(null);
    try {
      await request(`${path}?id=${encodeURIComponent(key.uuid)}`, { method: "DELETE" });
      say(`Revoked ${key.label || "the key"}`);
    } catch (error) {
      sayProblem(error);
    }
    onChanged();
  };
  return (
    <>
      <table class="rows">
        <caption class="said">Your API keys</caption>
        <thead>
          <tr>
            <th>Label</th>
            <th>Good for</th>
            <th>Last used</th>
            <th>Ends</th>
            <th>Made</th>
            <th>
              <span class="said">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.uuid} data-row="">
              <td class="name">{key.label || <span class="dim">no label</span>}</td>
              <td data-label="Good for">
                {key.scopes.length === 0 ? "all that you may" : key.scopes.join(", ")}
              </td>
              <td data-label="Last used">
                {timeOf(key.lastUsed) === null ? "never" : <Time at={key.lastUsed} />}
              </td>
              <td data-label="Ends">
                {key.isExpired ? (
                  <Chip tone="bad">ended</Chip>
                ) : timeOf(key.expirationDate) === null ? (
                  "never"
                ) : (
                  <Time at={key.expirationDate} />
                )}
              </td>
              <td data-label="Made">
                <Time at={key.createdAt} />
              </td>
              <td class="tools">
                <button type="button" onClick={() => setRevoking(key)}>
                  Revoke
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {revoking !== null && (
        <Dialog title={`Revoke ${revoking.label || "this key"}?`} onClose={() => setRevoking(null)}>
          <p>Programs that use it are refused from now on. It cannot be taken back.</p>
          <div class="actions">
            <button type="button" onClick={() => setRevoking(null)}>
              Keep
            </button>
            <button type="button" class="danger" onClick={() => void revoke(revoking)}>
              Revoke
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function NewKey({
  name,
  onClose,
  onMade,
}: {
  readonly name: string;
  readonly onClose: () => void;
  readonly onMade: () => void;
}) {
  const [made, setMade] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const make = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (field: string): string => {
      const value = data.get(field);
      return typeof value === "string" ? value.trim() : "";
    };
    const days = Number(text("days"));
    const expirationDate = days === 0 ? "" : new Date(Date.now() + days * dayMs).toISOString();
    const scopes = text("scopes")
      .split(/[\s,]+/)
      .filter((scope) => scope !== "");
    try {
      const key = await requestJson<{ apiKey: string }>(path, {
        method: "POST",
        json: { label: text("label"), scopes, expirationDate },
      });
      setMade(key.apiKey);
      onMade();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  if (made !== null) return <MadeKey name={name} made={made} onClose={onClose} />;
  return (
    <Dialog title="New key" onClose={onClose}>
      <form class="fields" onSubmit={(event) => void make(event)}>
        <label>
          Label
          <input name="label" maxLength={256} required autofocus placeholder="ci of team/shop" />
        </label>
        <label>
          Good for
          <input name="scopes" placeholder="all that you may" spellcheck={false} />
          <span class="dim small">
            Repositories such as <code>team/**</code>, or <code>repository:team/**:pull</code>; none
            for everything
          </span>
        </label>
        <label>
          Ends after
          <select name="days">
            {lives.map(([days, label]) => (
              <option key={days} value={days}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {problem !== null && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="main">
            Make the key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function MadeKey({
  name,
  made,
  onClose,
}: {
  readonly name: string;
  readonly made: string;
  readonly onClose: () => void;
}) {
  const login = `echo ${made} | docker login ${window.location.host} -u ${name} --password-stdin`;
  return (
    <Dialog title="Your new key" onClose={onClose}>
      <p>
        <Icon name="warning" /> It is shown this once. Copy it now.
      </p>
      <p class="made">
        <code>{made}</code>
        <Copy text={made} says="the key" />
      </p>
      <Command text={login} says="the command that logs in with it" />
      <div class="actions">
        <button type="button" class="main" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
