/** The page of a repository: its tags, one row each, to filter, sort, open, select and delete. */
import { useMemo, useState } from "preact/hooks";
import { countText } from "../core/format.ts";
import { listTags, type TagList, type TagRow } from "../core/lists.ts";
import { useLoad } from "../core/load.ts";
import { explain, type Retention, type TagDecision } from "../core/plan.ts";
import { host } from "../core/registry_place.ts";
import { imageAddress, Link, setQuery, usePlace } from "../core/router.tsx";
import { sortTags, tagOrders, type TagOrder } from "../core/sort_tags.ts";
import { Bytes, Chip, Copy, Digest, Empty, Shown, Time } from "../parts/basics.tsx";
import { DeleteTags } from "../parts/delete_tags.tsx";
import { Expiry, hasExpiry } from "../parts/expiry.tsx";
import { Icon } from "../parts/icons.tsx";
import { TypeChip } from "../parts/kind.tsx";
import { Platforms } from "../parts/platforms.tsx";
import { RepositoryHead } from "../parts/repository_head.tsx";
import { PushTo } from "../parts/push_to.tsx";

const firstCount = 500;
const orderNames: Readonly<Record<TagOrder, string>> = {
  newest: "Newest",
  version: "Version",
  name: "Name",
  size: "Size",
};

export function Tags({ repository }: { readonly repository: string }) {
  const [count, setCount] = useState(firstCount);
  const list = useLoad(`tags ${repository} ${count}`, (signal) =>
    listTags(repository, count, signal),
  );
  // Of a repository with more tags than the registry explains at once there is none.
  const retention = useLoad(`retention ${repository}`, (signal) => explain(repository, signal));
  return (
    <>
      <RepositoryHead name={repository} current="tags" />
      <Shown
        loaded={list}
        lines={8}
        absent={
          <Empty icon="box" title="There is no such repository">
            <p>
              Nothing was pushed to <code>{repository}</code>, or you may not see it.
            </p>
          </Empty>
        }
      >
        {(value) =>
          value.tags.length === 0 ? (
            <Empty icon="tag" title="No tags">
              <p>What is here has no name. A push brings one:</p>
              <PushTo repository={repository} />
            </Empty>
          ) : (
            <TagTable
              repository={repository}
              list={value}
              retention={retention.value}
              onMore={() => setCount(count + firstCount * 2)}
            />
          )
        }
      </Shown>
    </>
  );
}

function TagTable({
  repository,
  list,
  retention,
  onMore,
}: {
  readonly repository: string;
  readonly list: TagList;
  readonly retention: Retention | null;
  readonly onMore: () => void;
}) {
  const { query } = usePlace();
  const filter = query.get("filter") ?? "";
  const order = tagOrders.find((each) => each === query.get("sort")) ?? "newest";
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [deleting, setDeleting] = useState<readonly TagRow[] | null>(null);
  const [lastPicked, setLastPicked] = useState<string | null>(null);
  const shown = useMemo(() => {
    const wanted = filter.toLowerCase();
    return sortTags(list.tags, order).filter(({ tag }) => tag.toLowerCase().includes(wanted));
  }, [list, filter, order]);
  const decisions = useMemo(
    () => new Map(retention?.tags.filter(hasExpiry).map((told) => [told.tag, told])),
    [retention],
  );
  const byDigest = useMemo(() => tagsByDigest(list.tags), [list]);
  const hasExpiries = shown.some(({ tag }) => decisions.has(tag));
  const chosen = shown.filter(({ tag }) => selected.has(tag));
  const pick = (tag: string, isRange: boolean): void => {
    setSelected(withPicked(shown, selected, tag, isRange ? lastPicked : null));
    setLastPicked(tag);
  };
  const isAll = chosen.length === shown.length && shown.length > 0;
  const all = (): void => setSelected(new Set(isAll ? [] : shown.map(({ tag }) => tag)));
  return (
    <>
      <div class="toolbar">
        <input
          type="search"
          placeholder="Filter tags"
          aria-label="Filter tags"
          value={filter}
          spellcheck={false}
          onInput={(event) => setQuery({ filter: event.currentTarget.value })}
        />
        <label class="choice">
          <span class="said">Order</span>
          <select value={order} onChange={(event) => setQuery({ sort: event.currentTarget.value })}>
            {tagOrders.map((each) => (
              <option key={each} value={each}>
                {orderNames[each]}
              </option>
            ))}
          </select>
        </label>
        <span class="dim small" role="status">
          {shown.length === list.tags.length
            ? countText(list.total, "tag")
            : `${shown.length} of ${countText(list.total, "tag")}`}
        </span>
        {chosen.length > 0 && (
          <button type="button" class="danger" onClick={() => setDeleting(chosen)}>
            <Icon name="trash" /> Delete {chosen.length}
          </button>
        )}
        {chosen.length === 2 && <CompareLink repository={repository} rows={chosen} />}
      </div>
      <table class="rows tags">
        <caption class="said">Tags of {repository}</caption>
        <thead>
          <tr>
            <th class="pick">
              <input type="checkbox" aria-label="Select all" checked={isAll} onChange={all} />
            </th>
            <th>Tag</th>
            <th>Image</th>
            <th>Platforms</th>
            <th class="number">Size</th>
            <th>Pushed</th>
            <th class="number">Pulls</th>
            {hasExpiries && <th>Expires</th>}
            <th>
              <span class="said">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <TagLine
              key={row.tag}
              repository={repository}
              row={row}
              isSelected={selected.has(row.tag)}
              expiry={hasExpiries ? (decisions.get(row.tag) ?? "none") : null}
              isDryRun={retention?.dryRun === true}
              same={row.digest === null ? [] : (byDigest.get(row.digest) ?? [])}
              onPick={(isRange) => pick(row.tag, isRange)}
              onDelete={() => setDeleting([row])}
            />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="dim">No tag has “{filter}” in its name.</p>}
      {list.total > list.tags.length && (
        <p class="more">
          <button type="button" onClick={onMore}>
            Show more: {list.tags.length} of {list.total.toLocaleString("en")} are here
          </button>
        </p>
      )}
      {deleting !== null && (
        <DeleteTags
          repository={repository}
          tags={deleting}
          others={sameImage(list.tags, deleting)}
          onClose={() => setDeleting(null)}
          onDeleted={() => setSelected(new Set())}
        />
      )}
    </>
  );
}

function withPicked(
  shown: readonly TagRow[],
  selected: ReadonlySet<string>,
  tag: string,
  from: string | null,
): Set<string> {
  const next = new Set(selected);
  const isOn = !selected.has(tag);
  const [one, other] = [tag, from ?? tag].map((each) => shown.findIndex((row) => row.tag === each));
  const [first, last] = [Math.min(one ?? 0, other ?? 0), Math.max(one ?? 0, other ?? 0)];
  for (const row of shown.slice(Math.max(first, 0), last + 1)) {
    if (isOn) next.add(row.tag);
    else next.delete(row.tag);
  }
  return next;
}

function tagsByDigest(all: readonly TagRow[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { tag, digest } of all) {
    if (digest === null) continue;
    const tags = found.get(digest) ?? [];
    tags.push(tag);
    found.set(digest, tags);
  }
  return found;
}

/** Other tags of the same image that are named. */
const sameMax = 3;

function SameImage({ tag, same }: { readonly tag: string; readonly same: readonly string[] }) {
  const others = same.filter((each) => each !== tag);
  if (others.length === 0) return null;
  const rest = others.length - sameMax;
  return (
    <span class="same dim small">
      same as {others.slice(0, sameMax).join(", ")}
      {rest > 0 && ` and ${rest.toLocaleString("en")} more`}
    </span>
  );
}

/** Tags that stay and point at what these point at. */
function sameImage(all: readonly TagRow[], deleted: readonly TagRow[]): string[] {
  const digests = new Set(deleted.flatMap(({ digest }) => digest ?? []));
  const names = new Set(deleted.map(({ tag }) => tag));
  return all
    .filter(({ tag, digest }) => digest !== null && digests.has(digest) && !names.has(tag))
    .map(({ tag }) => tag);
}

function CompareLink({
  repository,
  rows,
}: {
  readonly repository: string;
  readonly rows: readonly TagRow[];
}) {
  const [newer, older] = rows.map(({ tag }) => `${repository}:${tag}`);
  const query = new URLSearchParams({ a: older ?? "", b: newer ?? "" });
  return (
    <Link to={`compare?${query.toString()}`} class="button">
      <Icon name="compare" /> Compare
    </Link>
  );
}

function TagLine({
  repository,
  row,
  isSelected,
  expiry,
  isDryRun,
  same,
  onPick,
  onDelete,
}: {
  readonly repository: string;
  readonly row: TagRow;
  readonly isSelected: boolean;
  /** Null where no tag of the list has one. */
  readonly expiry: TagDecision | "none" | null;
  readonly isDryRun: boolean;
  /** All tags of its image. */
  readonly same: readonly string[];
  readonly onPick: (isRange: boolean) => void;
  readonly onDelete: () => void;
}) {
  const { tag, digest, bytes, platforms, taggedAt, createdAt, by, pulls, isSigned } = row;
  return (
    <tr data-row="" class={isSelected ? "selected" : ""}>
      <td class="pick">
        <input
          type="checkbox"
          aria-label={`Select ${tag}`}
          data-key="x"
          checked={isSelected}
          onClick={(event) => onPick(event.shiftKey)}
        />
      </td>
      <td class="name">
        <Link to={imageAddress(repository, tag)}>{tag}</Link>
        {isSigned && (
          <Chip
            tone="accent"
            title="There is a signature of it, which the registry does not verify"
          >
            <Icon name="shield" /> signed
          </Chip>
        )}
        <TypeChip type={row.artifactType} />
        <SameImage tag={tag} same={same} />
      </td>
      <td data-label="Image">{digest !== null && <Digest digest={digest} />}</td>
      <td data-label="Platforms">
        <Platforms platforms={platforms} />
      </td>
      <td class="number" data-label="Size">
        {bytes !== null && <Bytes count={bytes} />}
      </td>
      <td data-label="Pushed">
        <Time at={taggedAt ?? createdAt} />
        {by !== null && by !== "" && <span class="dim small"> by {by}</span>}
      </td>
      <td class="number" data-label="Pulls">
        {pulls !== null && pulls.toLocaleString("en")}
        {pulls !== null && pulls > 0 && row.pulledAt !== null && (
          <span class="dim small">
            , last <Time at={row.pulledAt} />
          </span>
        )}
      </td>
      {expiry !== null && (
        <td data-label="Expires">
          {expiry !== "none" && (
            <Expiry repository={repository} told={expiry} isDryRun={isDryRun} />
          )}
        </td>
      )}
      <td class="tools">
        <Copy
          text={`docker pull ${host}/${repository}:${tag}`}
          says={`the pull command of ${tag}`}
          hotkey="c"
        />
        <button
          type="button"
          class="copy"
          data-key="d"
          aria-label={`Delete ${tag}`}
          onClick={onDelete}
        >
          <Icon name="trash" />
        </button>
      </td>
    </tr>
  );
}
