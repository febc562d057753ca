/** Short messages at the edge of the page, with one thing to do: what was deleted can be taken back there. */
import { useEffect } from "preact/hooks";
import { Store, useStore } from "../core/store.ts";
import { Icon } from "./icons.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "bad";
  readonly action: { readonly label: string; readonly run: () => Promise<void> } | null;
}

const shownMax = 4;
const plainMs = 6_000;
/** Who is to take something back has time to read. */
const actionMs = 20_000;
const toasts = new Store<readonly Toast[]>([]);

export function say(
  text: string,
  { tone = "plain", action = null }: Partial<Pick<Toast, "tone" | "action">> = {},
): void {
  const id = (toasts.value.at(-1)?.id ?? 0) + 1;
  toasts.set([...toasts.value, { id, text, tone, action }].slice(-shownMax));
}

export function sayProblem(error: unknown): void {
  say(error instanceof Error ? error.message : String(error), { tone: "bad" });
}

function end(id: number): void {
  toasts.set(toasts.value.filter((toast) => toast.id !== id));
}

export function Toasts() {
  const all = useStore(toasts);
  return (
    <div class="toasts" role="region" aria-label="Messages" aria-live="polite">
      {all.map((toast) => (
        <ToastLine key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastLine({ toast }: { readonly toast: Toast }) {
  const { id, text, tone, action } = toast;
  useEffect(() => {
    const timer = window.setTimeout(() => end(id), action === null ? plainMs : actionMs);
    return () => window.clearTimeout(timer);
  }, [id, action]);
  const run = (): void => {
    end(id);
    action?.run().catch(sayProblem);
  };
  return (
    <div class={`toast ${tone}`}>
      <span>{text}</span>
      {action !== null && (
        <button type="button" class="plain" onClick={run}>
          {action.label}
        </button>
      )}
      <button type="button" class="copy" aria-label="Close the message" onClick={() => end(id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
