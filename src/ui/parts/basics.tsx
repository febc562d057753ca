/** The smallest parts of pages: times, sizes, digests, buttons that copy, and what stands in place of content. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { agoText, bytesText, exactBytes, shortDigest, timeOf } from "../core/format.ts";
import type { Loaded } from "../core/load.ts";
import { Link } from "../core/router.tsx";
import { Icon, type IconName } from "./icons.tsx";

/** A time from now, and exactly where somebody looks closer. */
export function Time({ at }: { readonly at: string | null | undefined }) {
  const ms = timeOf(at);
  if (ms === null) return <span class="dim">—</span>;
  const exact = new Date(ms);
  return (
    <time dateTime={exact.toISOString()} title={exact.toLocaleString()}>
      {agoText(ms, Date.now())}
    </time>
  );
}

export function Bytes({ count }: { readonly count: number | null }) {
  if (count === null) return <span class="dim">…</span>;
  return <span title={exactBytes(count)}>{bytesText(count)}</span>;
}

const copiedMs = 1_500;

/** Copies a text. `says` is what it copies, for who cannot see the icon. */
export function Copy({
  text,
  says,
  hotkey,
}: {
  readonly text: string;
  readonly says: string;
  /** The key that does it while the row has the focus. */
  readonly hotkey?: string;
}) {
  const [isCopied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const onClick = async (): Promise<void> => {
    await copyText(text);
    setCopied(true);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setCopied(false), copiedMs);
  };
  return (
    <button
      type="button"
      class="copy"
      data-key={hotkey}
      onClick={() => void onClick()}
      aria-label={`Copy ${says}`}
    >
      <Icon name={isCopied ? "check" : "copy"} />
      <span class="said" role="status">
        {isCopied ? "Copied" : ""}
      </span>
    </button>
  );
}

/** Over plain HTTP browsers give pages no clipboard: then a field that is selected does it. */
export async function copyText(text: string): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) {
    try {
      await clipboard.writeText(text);
      return;
    } catch {
      // Not allowed here; go on with the field.
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "offscreen";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function Digest({ digest }: { readonly digest: string }) {
  return (
    <span class="digest">
      <code title={digest}>{shortDigest(digest)}</code>
      <Copy text={digest} says="the digest" />
    </span>
  );
}

/** A command to copy, in the shape of a terminal's line. */
export function Command({
  text,
  says,
  hotkey,
}: {
  readonly text: string;
  readonly says: string;
  readonly hotkey?: string;
}) {
  return (
    <div class="command">
      <pre tabIndex={0} role="region" aria-label={says}>
        <code>{text}</code>
      </pre>
      {hotkey === undefined ? (
        <Copy text={text} says={says} />
      ) : (
        <Copy text={text} says={says} hotkey={hotkey} />
      )}
    </div>
  );
}

export function Chip({
  children,
  tone = "plain",
  title,
}: {
  readonly children: ComponentChildren;
  readonly tone?: "plain" | "good" | "warn" | "bad" | "accent";
  readonly title?: string;
}) {
  return (
    <span class={`chip ${tone}`} title={title}>
      {children}
    </span>
  );
}

/** What stands where nothing is. */
export function Empty({
  icon,
  title,
  isPage = false,
  children,
}: {
  readonly icon: IconName;
  readonly title: string;
  /** It is all of the page. */
  readonly isPage?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={icon} />
      {isPage ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** Lines where content will stand, so that it does not jump. */
export function Waiting({ lines = 4 }: { readonly lines?: number }) {
  return (
    <div class="waiting" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} />
      ))}
    </div>
  );
}

/** What was loaded, or what there is to say while it is not. */
export function Shown<T>({
  loaded,
  lines,
  absent,
  children,
}: {
  readonly loaded: Loaded<T>;
  readonly lines?: number;
  /** In place of the registry's words for a 404. */
  readonly absent?: ComponentChildren;
  readonly children: (value: T) => ComponentChildren;
}) {
  const { value, problem, reload } = loaded;
  if (problem !== null && (value === null || problem.status === 404)) {
    if (problem.status === 404 && absent !== undefined) return <>{absent}</>;
    return <Failed message={problem.message} status={problem.status} onRetry={reload} />;
  }
  if (value === null) return lines === undefined ? <Waiting /> : <Waiting lines={lines} />;
  return <>{children(value)}</>;
}

export function Failed({
  message,
  status = 0,
  onRetry,
}: {
  readonly message: string;
  readonly status?: number;
  readonly onRetry?: () => void;
}) {
  const title =
    status === 403 || status === 401
      ? "You may not see this"
      : status === 404
        ? "Not there"
        : "That did not work";
  return (
    <div class="failed" role="alert">
      <Icon name="warning" />
      <div>
        <strong>{title}</strong>
        <p>{message}</p>
        {onRetry !== undefined && status !== 403 && status !== 401 && (
          <button type="button" onClick={onRetry}>
            Try again
          </button>
        )}
        {status === 401 && (
          <Link to="signin" class="button">
            Sign in
          </Link>
        )}
      </div>
    </div>
  );
}
