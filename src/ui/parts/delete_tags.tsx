/** Deleting tags: asks once, says what goes with them and what else points there, and offers to take it back. */
import { useState } from "preact/hooks";
import { bytesText, countText, spanText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { deleteTag, setTag, type TagAt } from "../core/tag_changes.ts";
import { Dialog } from "./dialog.tsx";
import { say, sayProblem } from "./toasts.tsx";

/** Tags of which one request tells the figures. */
const askedMax = 50;
const namedMax = 8;

interface Usage {
  readonly tags?: readonly { readonly tag: string; readonly digest: string }[];
  readonly together?: {
    readonly freedHereBytes: number;
    readonly freedBytes: number | null;
  };
}

export function DeleteTags({
  repository,
  tags,
  others,
  onClose,
  onDeleted,
}: {
  readonly repository: string;
  readonly tags: readonly TagAt[];
  /** Other tags that point at the same. */
  readonly others: readonly string[];
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}) {
  const { settings } = useStore(session);
  const [isBusy, setBusy] = useState(false);
  const asked = tags.slice(0, askedMax).map(({ tag }) => `tag=${encodeURIComponent(tag)}`);
  const usage = useLoad(
    `freed ${repository} ${asked.join("&")}`,
    (signal) => requestJson<Usage>(`v2/${repository}/_zot/usage?${asked.join("&")}`, { signal }),
    false,
  );
  const remove = async (): Promise<void> => {
    setBusy(true);
    const done = await deleteAll(repository, tags, usage.value);
    if (done.length > 0) sayDeleted(repository, done, settings.undoWindowMs > 0);
    onClose();
    if (done.length > 0) onDeleted();
  };
  const [only] = tags;
  const title =
    tags.length === 1 ? `Delete ${only?.tag ?? ""}?` : `Delete ${countText(tags.length, "tag")}?`;
  return (
    <Dialog title={title} onClose={onClose}>
      <p>
        From <strong>{repository}</strong>
        {tags.length > 1 && `: ${namesOf(tags.map(({ tag }) => tag))}`}
      </p>
      <p>{freedText(usage.value, tags.length)}</p>
      {others.length > 0 && (
        <p>
          {namesOf(others)} {others.length === 1 ? "points" : "point"} at the same image and{" "}
          {others.length === 1 ? "stays" : "stay"}.
        </p>
      )}
      <p class="dim">
        {settings.undoWindowMs > 0
          ? `It can be taken back for ${spanText(settings.undoWindowMs)}.`
          : "This server keeps nothing for an undo: it cannot be taken back."}
      </p>
      <div class="actions">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" class="danger" disabled={isBusy} onClick={() => void remove()}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}

function freedText(usage: Usage | null, count: number): string {
  if (count > askedMax) return "What goes with so many tags is not counted here.";
  const together = usage?.together;
  if (together === undefined) return "Counting what goes with it…";
  const freed = together.freedBytes ?? together.freedHereBytes;
  if (freed === 0) return "Nothing is freed: other tags need all of its content.";
  return `Frees ${bytesText(freed)} once it is collected.`;
}

function namesOf(names: readonly string[]): string {
  const rest = names.length - namedMax;
  const shown = names.slice(0, namedMax).join(", ");
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

async function deleteAll(
  repository: string,
  tags: readonly TagAt[],
  usage: Usage | null,
): Promise<TagAt[]> {
  const known = new Map(usage?.tags?.map(({ tag, digest }) => [tag, digest]));
  const done: TagAt[] = [];
  for (const { tag, digest } of tags) {
    const at = { tag, digest: digest ?? known.get(tag) ?? null };
    try {
      await deleteTag(repository, at);
      done.push(at);
    } catch (error) {
      sayProblem(error);
      break;
    }
  }
  return done;
}

function sayDeleted(repository: string, tags: readonly TagAt[], mayUndo: boolean): void {
  const [only] = tags;
  const what =
    tags.length === 1 ? `${repository}:${only?.tag ?? ""}` : countText(tags.length, "tag");
  const canUndo = mayUndo && tags.every(({ digest }) => digest !== null);
  const undo = async (): Promise<void> => {
    for (const { tag, digest } of tags) await setTag(repository, tag, digest, null);
    say(`${what} ${tags.length === 1 ? "is" : "are"} back`);
  };
  say(`Deleted ${what}`, canUndo ? { action: { label: "Undo", run: undo } } : {});
}
