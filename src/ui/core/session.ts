/** What the server is like, who is signed in, and signing in and out. */
import {
  ask,
  dropCredentials,
  hasCredentials,
  holdCredentials,
  Problem,
  problemOf,
  refusals,
  requestJson,
} from "./http.ts";
import { forget } from "./load.ts";
import { Store } from "./store.ts";

export interface Settings {
  readonly version: string;
  readonly login: "none" | "password" | "certificate";
  readonly undoWindowMs: number;
  readonly hasKeys: boolean;
  readonly hasMirrors: boolean;
  readonly hasSearch: boolean;
}

export interface Session {
  readonly state: "starting" | "unreachable" | "welcome" | "refused";
  readonly settings: Settings;
  /** Null for a caller without a name. */
  readonly name: string | null;
  readonly isAdministrator: boolean;
}

const unknown: Session = {
  state: "starting",
  settings: {
    version: "",
    login: "none",
    undoWindowMs: 0,
    hasKeys: false,
    hasMirrors: false,
    hasSearch: false,
  },
  name: null,
  isAdministrator: false,
};

export const session = new Store<Session>(unknown);

/** Asks what the server is like and whether it welcomes callers without a name. */
export async function startSession(): Promise<void> {
  try {
    const settings = await requestJson<Settings>("ui/settings.json");
    session.set({ ...session.value, settings });
    await look();
  } catch {
    session.set({ ...session.value, state: "unreachable" });
  }
}

async function look(): Promise<Response> {
  const response = await ask("v2/_zot/me");
  if (response.ok) {
    const me = (await response.json()) as Pick<Session, "name" | "isAdministrator">;
    session.set({ ...session.value, ...me, state: "welcome" });
  } else if (!hasCredentials()) {
    session.set({ ...session.value, name: null, isAdministrator: false, state: "refused" });
  }
  return response;
}

/** @throws Problem where the name and password are not those of a user. */
export async function signIn(name: string, password: string): Promise<void> {
  holdCredentials(name, password);
  const response = await look();
  if (response.ok) {
    forget();
    return;
  }
  dropCredentials();
  throw response.status === 401
    ? new Problem(401, "That name and password do not fit.")
    : await problemOf(response);
}

export async function signOut(): Promise<void> {
  dropCredentials();
  forget();
  await look();
}

// A password that was changed, or a user who was removed.
refusals.watch(() => {
  if (!hasCredentials()) return;
  void ask("v2/_zot/me").then((response) => {
    if (response.status === 401) void signOut();
  });
});

/** Whether somebody without a name may be told to sign in. */
export function canSignIn({ settings, name }: Session): boolean {
  return settings.login === "password" && name === null;
}
