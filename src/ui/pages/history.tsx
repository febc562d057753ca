/** What a repository or one of its tags was: every move and delete, each to be put back. */
import { useState } from "preact/hooks";
import { shortDigest } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import type { Activity } from "../core/live.ts";
import { useLoad } from "../core/load.ts";
import { undelete } from "../core/manifest_changes.ts";
import { host } from "../core/registry_place.ts";
import { imageAddress, Link, setQuery, usePlace } from "../core/router.tsx";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { setTag } from "../core/tag_changes.ts";
import { useTitle } from "../core/title.ts";
import { Copy, Empty, Shown, Time } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icons.tsx";
import { RepositoryHead } from "../parts/repository_head.tsx";
import { say, sayProblem } from "../parts/toasts.tsx";

const eventsMax = 200;

export function History({ name }: { readonly name: string }) {
  const tag = usePlace().query.get("tag");
  useTitle(`History of ${name}`);
  const path = `v2/_zot/activity?repository=${encodeURIComponent(name)}&n=${eventsMax}`;
  const history = useLoad(`history ${name}`, (signal) =>
    requestJson<{ activity: readonly Activity[] }>(path, { signal }),
  );
  return (
    <>
      <RepositoryHead name={name} current="history" />
      <Shown loaded={history} lines={8}>
        {({ activity }) => <Events name={name} tag={tag} activity={activity} />}
      </Shown>
    </>
  );
}

function Events({
  name,
  tag,
  activity,
}: {
  readonly name: string;
  readonly tag: string | null;
  readonly activity: readonly Activity[];
}) {
  const [asked, setAsked] = useState<Activity | null>(null);
  const shown = tag === null ? activity : activity.filter((entry) => entry.tag === tag);
  const tags = [...new Set(activity.flatMap((entry) => entry.tag ?? []))].toSorted();
  if (activity.length === 0) {
    return (
      <Empty icon="clock" title="No history">
        <p>Nothing was pushed here, or its history is not kept any more.</p>
      </Empty>
    );
  }
  /** Where each tag points now: its newest event says so. */
  const now = new Map<string, string | null>();
  for (const entry of activity) {
    if (entry.tag !== null && !now.has(entry.tag)) now.set(entry.tag, entry.digest);
  }
  return (
    <>
      <div class="toolbar">
        <label class="choice">
          <span class="said">Tag</span>
          <select
            value={tag ?? ""}
            onChange={(event) => setQuery({ tag: event.currentTarget.value })}
          >
            <option value="">All tags</option>
            {tags.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <span class="dim small">
          {activity.length === eventsMax
            ? `The last ${eventsMax} events`
            : `${shown.length} events`}
        </span>
      </div>
      <table class="rows">
        <caption class="said">What happened in {name}</caption>
        <thead>
          <tr>
            <th>Tag</th>
            <th>What happened</th>
            <th>When</th>
            <th>By</th>
            <th>
              <span class="said">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((entry) => (
            <EventLine
              key={entry.id}
              name={name}
              entry={entry}
              now={entry.tag === null ? null : (now.get(entry.tag) ?? null)}
              onRestore={() => setAsked(entry)}
            />
          ))}
        </tbody>
      </table>
      {asked?.tag !== undefined && asked.tag !== null && asked.previous !== null && (
        <Restore
          name={name}
          tag={asked.tag}
          to={asked.previous}
          now={now.get(asked.tag) ?? null}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

/** The repository as it was when this had happened: moments are told in milliseconds, and kept more exactly. */
function pastName(at: string): string {
  return `at.${at.toLowerCase().replaceAll(":", ".").replace("z", "999z")}`;
}

function EventLine({
  name,
  entry,
  now,
  onRestore,
}: {
  readonly name: string;
  readonly entry: Activity;
  /** Where the tag points now. */
  readonly now: string | null;
  readonly onRestore: () => void;
}) {
  const { tag, event, digest, previous, at, by } = entry;
  const { settings } = useStore(session);
  const mayUndo = settings.undoWindowMs > 0;
  const canRestore = mayUndo && tag !== null && previous !== null && previous !== now;
  const canUndelete = mayUndo && event === "deleted" && tag === null && previous !== null;
  const bringBack = async (digest: string): Promise<void> => {
    try {
      await undelete(name, digest);
      say(`${shortDigest(digest)} is back`);
    } catch (error) {
      sayProblem(error);
    }
  };
  return (
    <tr data-row="">
      <td class="name">
        {tag === null ? (
          <span class="dim">no tag</span>
        ) : (
          <button type="button" class="plain flat" onClick={() => setQuery({ tag })}>
            {tag}
          </button>
        )}
      </td>
      <td data-label="Event">
        {event === "tagged" && digest !== null && (
          <>
            {previous === null ? "set to" : "moved to"}{" "}
            <Link to={imageAddress(name, digest)}>
              <code>{shortDigest(digest)}</code>
            </Link>
          </>
        )}
        {event === "untagged" && "removed"}
        {event === "deleted" && "manifest deleted:"}
        {previous !== null && (
          <span class="dim">
            {event === "deleted" ? " " : ", was "}
            <code>{shortDigest(previous)}</code>
          </span>
        )}
      </td>
      <td data-label="When">
        <Time at={at} />
      </td>
      <td data-label="By">{by}</td>
      <td class="tools">
        {event === "tagged" && (
          <Copy
            text={`docker pull ${host}/${pastName(at)}/${name}:${tag ?? ""}`}
            says="the command that pulls it as it was then"
          />
        )}
        {canRestore && (
          <button type="button" onClick={onRestore}>
            <Icon name="undo" /> Put back
          </button>
        )}
        {canUndelete && (
          <button type="button" onClick={() => void bringBack(previous)}>
            <Icon name="undo" /> Bring back
          </button>
        )}
      </td>
    </tr>
  );
}

function Restore({
  name,
  tag,
  to,
  now,
  onClose,
}: {
  readonly name: string;
  readonly tag: string;
  readonly to: string;
  readonly now: string | null;
  readonly onClose: () => void;
}) {
  const [isBusy, setBusy] = useState(false);
  const restore = async (): Promise<void> => {
    setBusy(true);
    try {
      await setTag(name, tag, to, now);
      const undo = () => setTag(name, tag, now, to);
      say(`${name}:${tag} is back at ${shortDigest(to)}`, { action: { label: "Undo", run: undo } });
    } catch (error) {
      sayProblem(error);
    }
    onClose();
  };
  return (
    <Dialog title={`Put ${tag} back?`} onClose={onClose}>
      <p>
        <strong>
          {name}:{tag}
        </strong>{" "}
        {now === null ? (
          "is not there now"
        ) : (
          <>
            points at <code>{shortDigest(now)}</code> now
          </>
        )}{" "}
        and will point at <code>{shortDigest(to)}</code>, with everything that belongs to it.
      </p>
      <p class="dim">
        Retention and collection leave it alone for a while. If the tag has moved meanwhile, nothing
        changes.
      </p>
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="main" disabled={isBusy} onClick={() => void restore()}>
          Put back
        </button>
      </div>
    </Dialog>
  );
}
