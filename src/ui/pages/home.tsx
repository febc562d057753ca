/** The first page: repositories, found and in order, what happened lately, and how to push where there is nothing yet. */
import { useEffect, useState } from "preact/hooks";
import { pushCommands } from "../../lib/push_commands.ts";
import { countText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import {
  findRepositories,
  pageSize,
  type FoundRepositories,
  type RepositoryOrder,
  type RepositoryRow,
} from "../core/lists.ts";
import type { Activity } from "../core/live.ts";
import { useLoad } from "../core/load.ts";
import { listYours } from "../core/preferences.ts";
import { host, isTls, pathOfProxy } from "../core/registry_place.ts";
import { imageAddress, Link, repositoryAddress, setQuery, usePlace } from "../core/router.tsx";
import { session } from "../core/session.ts";
import { readProgress } from "../core/state.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import { Bytes, Chip, Command, Empty, Shown, Time } from "../parts/basics.tsx";
import { Icon } from "../parts/icons.tsx";
import { TypeChip } from "../parts/kind.tsx";
import { Platforms } from "../parts/platforms.tsx";

const orders: readonly (readonly [order: RepositoryOrder, label: string])[] = [
  ["UPDATE_TIME", "Newest"],
  ["ALPHABETIC_ASC", "Name"],
  ["DOWNLOADS", "Most pulled"],
];
const recentMax = 12;

export function Home() {
  const { query } = usePlace();
  const text = query.get("q") ?? "";
  useTitle(text);
  const order = orders.find(([each]) => each === query.get("sort"))?.[0] ?? "UPDATE_TIME";
  const [count, setCount] = useState(pageSize);
  const sortBy = text === "" ? order : "RELEVANCE";
  const found = useLoad(`find ${text} ${sortBy} ${count}`, (signal) =>
    findRepositories(text, sortBy, count, signal),
  );
  const isEmpty = text === "" && found.value?.repositories.length === 0;
  if (isEmpty) return <FirstPush onLook={found.reload} />;
  return (
    <div class="home">
      <section aria-labelledby="repositories">
        <div class="heading">
          <h1 id="repositories">{text === "" ? "Repositories" : `Found for “${text}”`}</h1>
          {text === "" && <Orders order={order} />}
          {text !== "" && (
            <Link to="" class="quiet">
              Show all
            </Link>
          )}
        </div>
        <Indexing />
        <Shown loaded={found} lines={8}>
          {(value) => (
            <Found found={value} text={text} onMore={() => setCount(count + pageSize * 2)} />
          )}
        </Shown>
      </section>
      {text === "" && <Yours />}
      {text === "" && <Recent />}
    </div>
  );
}

function Orders({ order }: { readonly order: RepositoryOrder }) {
  return (
    <label class="choice">
      <span class="said">Order</span>
      <select value={order} onChange={(event) => setQuery({ sort: event.currentTarget.value })}>
        {orders.map(([each, label]) => (
          <option key={each} value={each}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

function Found({
  found,
  text,
  onMore,
}: {
  readonly found: FoundRepositories;
  readonly text: string;
  readonly onMore: () => void;
}) {
  const { repositories, images, total } = found;
  if (repositories.length === 0 && images.length === 0) {
    return (
      <Empty icon="search" title={`Nothing is called “${text}”`}>
        <p>
          A part of a repository's name finds it. <code>name:tag</code> finds tags, and{" "}
          <code>sha256:…</code> finds images with that content.
        </p>
      </Empty>
    );
  }
  const isMore = total !== null && total > repositories.length && repositories.length > 0;
  return (
    <>
      <ul class="cards">
        {images.map(({ name, tag }) => (
          <li key={`${name}:${tag}`} data-row="">
            <Link to={imageAddress(name, tag)} class="title">
              <Icon name="tag" />
              {name}:{tag}
            </Link>
          </li>
        ))}
        {repositories.map((row) => (
          <RepositoryCard key={row.name} row={row} />
        ))}
      </ul>
      {isMore && (
        <p class="more">
          <button type="button" onClick={onMore}>
            Show more of {total.toLocaleString("en")}
          </button>
        </p>
      )}
    </>
  );
}

function RepositoryCard({ row }: { readonly row: RepositoryRow }) {
  const { name, updatedAt, bytes, tags, newestTag, description, isSigned, pulls } = row;
  return (
    <li data-row="">
      <div class="line">
        <Link to={repositoryAddress(name)} class="title">
          <Icon name="box" />
          <Name name={name} />
        </Link>
        {isSigned && (
          <Chip
            tone="accent"
            title="The newest image has a signature, which the registry does not verify"
          >
            <Icon name="shield" /> signed
          </Chip>
        )}
        <span class="facts">
          {updatedAt !== null && <Time at={updatedAt} />}
          {bytes !== null && <Bytes count={bytes} />}
        </span>
      </div>
      {description !== "" && <p class="describes">{description}</p>}
      <div class="line small dim">
        {newestTag !== null && (
          <Link to={imageAddress(name, newestTag)} class="quiet">
            <Icon name="tag" />
            {newestTag}
          </Link>
        )}
        {tags !== null && <span>{countText(tags, "tag")}</span>}
        {pulls !== null && pulls > 0 && <span>{countText(pulls, "pull")}</span>}
        <TypeChip type={row.artifactType} />
        <Platforms platforms={row.platforms} />
      </div>
    </li>
  );
}

/** The last component stands out; those before it say whose it is. */
function Name({ name }: { readonly name: string }) {
  const at = name.lastIndexOf("/") + 1;
  return (
    <span>
      <span class="prefix">{name.slice(0, at)}</span>
      {name.slice(at)}
    </span>
  );
}

const indexingMs = 5_000;

/** While search is not through with what was there before it, lists are not whole. */
function Indexing() {
  const { hasSearch } = useStore(session).settings;
  const { value, reload } = useLoad(hasSearch ? "progress" : null, readProgress, false);
  const isIndexing = value?.isIndexing === true;
  useEffect(() => {
    if (!isIndexing) return undefined;
    const timer = window.setInterval(reload, indexingMs);
    return () => window.clearInterval(timer);
  }, [isIndexing, reload]);
  if (value === null || !isIndexing) return null;
  return (
    <p class="note" role="status">
      Indexing {value.percent} %: not everything that is here is shown yet.
    </p>
  );
}

/** What the caller starred and bookmarked. */
function Yours() {
  const { name, settings } = useStore(session);
  const isAsked = name !== null && settings.hasSearch;
  const { value } = useLoad(isAsked ? "yours" : null, listYours);
  if (value === null || value.length === 0) return null;
  return (
    <section class="yours" aria-labelledby="yours">
      <h2 id="yours">Yours</h2>
      <ul>
        {value.map(({ row, by }) => (
          <li key={row.name}>
            <Icon name={by[0] ?? "star"} />
            <span class="what">
              <Link to={repositoryAddress(row.name)}>{row.name}</Link>
              <span class="dim small">
                {row.newestTag !== null && (
                  <>
                    <Link to={imageAddress(row.name, row.newestTag)} class="quiet">
                      {row.newestTag}
                    </Link>
                    ,{" "}
                  </>
                )}
                <Time at={row.updatedAt} />
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Recent() {
  const recent = useLoad("recent", (signal) =>
    requestJson<{ activity: readonly Activity[] }>(`v2/_zot/activity?n=${recentMax}`, { signal }),
  );
  return (
    <section class="recent" aria-labelledby="recent">
      <h2 id="recent">
        Lately <span class="pulse" title="It is shown as it happens" />
      </h2>
      <Shown loaded={recent}>
        {({ activity }) =>
          activity.length === 0 ? (
            <p class="dim">Nothing has happened yet.</p>
          ) : (
            <ol class="activity" aria-live="polite" aria-relevant="additions">
              {activity.map((entry) => (
                <ActivityLine key={entry.id} entry={entry} />
              ))}
            </ol>
          )
        }
      </Shown>
    </section>
  );
}

export function ActivityLine({ entry }: { readonly entry: Activity }) {
  const { name, tag, event, digest, previous, at, by } = entry;
  const isNew = event === "tagged" && previous === null;
  const verb = event === "tagged" ? (isNew ? "pushed" : "moved") : "deleted";
  const subject = tag === null ? `${name}@${(previous ?? "").slice(0, 19)}` : `${name}:${tag}`;
  const target = digest === null ? repositoryAddress(name) : imageAddress(name, tag ?? digest);
  return (
    <li>
      <span class={`mark ${event === "tagged" ? (isNew ? "new" : "moved") : "gone"}`} />
      <span class="what">
        <Link to={target}>{subject}</Link>
        <span class="dim small">
          {verb}
          {by === null ? "" : ` by ${by}`}, <Time at={at} />
        </span>
      </span>
    </li>
  );
}

function FirstPush({ onLook }: { readonly onLook: () => void }) {
  const { settings } = useStore(session);
  // Search may take up a moment later what was pushed before this page was opened.
  useEffect(() => {
    const timer = window.setInterval(onLook, indexingMs);
    return () => window.clearInterval(timer);
  }, [onLook]);
  const { notes, commands } = pushCommands({
    host: host + pathOfProxy,
    isTls,
    login: settings.login,
  });
  return (
    <div class="first">
      <h1>Push your first image</h1>
      <p class="dim lead">
        This registry is empty. Run the lines of one client; the image appears here by itself.
      </p>
      {notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
      <dl class="commands">
        {commands.map(([client, command]) => (
          <div key={command}>
            <dt>{client}</dt>
            <dd>
              <Command text={command} says={`the command of ${client}`} />
            </dd>
          </div>
        ))}
      </dl>
      <p class="waits dim" role="status">
        <span class="pulse" /> Waiting for the first push…
      </p>
    </div>
  );
}
