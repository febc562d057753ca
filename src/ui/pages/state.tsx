/** The state of the registry, for who runs it: checks of content and damage, collection, search, and the mirrors. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { MirrorStatus } from "../../lib/mirror_status.ts";
import { bytesText, countText, shortDigest, spanText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad, type Loaded } from "../core/load.ts";
import { imageAddress, Link, repositoryAddress } from "../core/router.tsx";
import { session } from "../core/session.ts";
import {
  readCollection,
  readProgress,
  readScrub,
  type Collection,
  type Damaged,
  type Round,
  type Scrub,
  type SearchProgress,
} from "../core/state.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import type { TotalUsage } from "../core/usage.ts";
import { Bytes, Chip, Failed, Shown, Time } from "../parts/basics.tsx";
import { Figures, Meter, type Figure } from "../parts/figures.tsx";

const lookAgainMs = 10_000;
const hourMs = 3_600_000;

export function State() {
  useTitle("State");
  const { isAdministrator, settings } = useStore(session);
  return (
    <>
      <div class="heading">
        <div>
          <h1>State</h1>
          <p class="dim">What the registry does beside answering requests.</p>
        </div>
      </div>
      {isAdministrator ? (
        <div class="states">
          <Checks />
          <Collecting />
          {settings.hasSearch && <Searching />}
          {settings.hasMirrors && <MirrorStates />}
        </div>
      ) : (
        <Failed
          status={403}
          message="The state of the registry tells of every repository, so it is for administrators."
        />
      )}
    </>
  );
}

/** Loads again and again while the page is open. */
function useEvery10s<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const loaded = useLoad(key, load, false);
  const { reload } = loaded;
  useEffect(() => {
    const timer = window.setInterval(reload, lookAgainMs);
    return () => window.clearInterval(timer);
  }, [reload]);
  return loaded;
}

function Part({
  title,
  id,
  chip,
  children,
}: {
  readonly title: string;
  readonly id: string;
  readonly chip?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="card" aria-labelledby={id}>
      <div class="line">
        <h2 id={id}>{title}</h2>
        {chip}
      </div>
      {children}
    </section>
  );
}

const scrubStates = {
  off: { tone: "plain", text: "off" },
  running: { tone: "accent", text: "running" },
  waiting: { tone: "good", text: "on" },
  stopped: { tone: "bad", text: "stopped" },
} as const;

function Checks() {
  const loaded = useEvery10s("scrub", readScrub);
  return (
    <Shown loaded={loaded} lines={3}>
      {(scrub) => {
        const { tone, text } = scrubStates[scrub.state];
        return (
          <Part title="Checks of content" id="checks" chip={<Chip tone={tone}>{text}</Chip>}>
            <CheckFigures scrub={scrub} />
            {scrub.round !== null && <RoundMeter round={scrub.round} />}
            <Damage damaged={scrub.damaged} />
            {scrub.rounds.length > 0 && <Rounds rounds={scrub.rounds} />}
          </Part>
        );
      }}
    </Shown>
  );
}

function CheckFigures({ scrub }: { readonly scrub: Scrub }) {
  const { state, nextAt, checked, coverage, damaged, kept } = scrub;
  if (state === "off" && checked.digests === 0) {
    return (
      <p>
        Nothing is read again once it is stored. <code>extensions.scrub.enable</code> turns checks
        on: they find what a disk has damaged before somebody pulls it.
      </p>
    );
  }
  const figures: Figure[] = [
    { label: "Checked", bytes: checked.bytes, says: countText(checked.digests, "digest") },
    // Of nothing, all was checked.
    ...(checked.digests === 0 ? [] : coverage).map(({ withinHours, percent }) => ({
      label: `Within ${spanText(withinHours * hourMs)}`,
      text: `${percent} %`,
    })),
    { label: "Damaged", text: damaged.copies.toLocaleString("en") },
    ...(kept.files === 0
      ? []
      : [{ label: "Kept of damage", bytes: kept.bytes, says: countText(kept.files, "file") }]),
  ];
  return (
    <>
      <Figures figures={figures} />
      {nextAt !== null && (
        <p class="small dim">
          The next round begins <Time at={nextAt} />.
        </p>
      )}
    </>
  );
}

function RoundMeter({ round }: { readonly round: Round }) {
  const { digests, allDigests, bytes, allBytes, from } = round;
  const part = allBytes === 0 ? 0 : bytes / allBytes;
  const says = `${countText(digests, "digest")} of ${allDigests.toLocaleString("en")}`;
  return (
    <p class="hits small">
      <Meter part={part} says={says} />
      <span>
        {bytesText(bytes)} of {bytesText(allBytes)} since <Time at={from} />
      </span>
    </p>
  );
}

const damages: Readonly<Record<Damaged["how"], string>> = {
  wrong: "other bytes",
  size: "another length",
  missing: "its file is gone",
  unreadable: "cannot be read",
  "no-file": "no file",
};

function Damage({ damaged }: { readonly damaged: Scrub["damaged"] }) {
  const { copies, list } = damaged;
  if (copies === 0) return null;
  return (
    <>
      <h3>Damaged, and whom it affects</h3>
      <p class="small dim">
        Nobody is given it. Pushing the same content again, or a copy of it in another repository,
        heals it.
      </p>
      <table class="rows">
        <caption class="said">Damaged content</caption>
        <thead>
          <tr>
            <th>Repository</th>
            <th>Content</th>
            <th>How</th>
            <th>Found</th>
            <th>Tags that need it</th>
          </tr>
        </thead>
        <tbody>
          {list.map((each) => (
            <DamagedLine key={`${each.repository}@${each.digest}`} damaged={each} />
          ))}
        </tbody>
      </table>
      {copies > list.length && (
        <p class="small dim">And {(copies - list.length).toLocaleString("en")} more.</p>
      )}
    </>
  );
}

function DamagedLine({ damaged }: { readonly damaged: Damaged }) {
  const { repository, digest, sizeBytes, how, since, tags, untagged, isCutOff } = damaged;
  return (
    <tr data-row="">
      <td class="name">
        <Link to={repositoryAddress(repository)}>{repository}</Link>
      </td>
      <td data-label="Content">
        <code title={digest}>{shortDigest(digest)}</code> <Bytes count={sizeBytes} />
      </td>
      <td data-label="How">
        <Chip tone="bad">{damages[how]}</Chip>
      </td>
      <td data-label="Found">
        <Time at={since} />
      </td>
      <td data-label="Tags">
        {tags.map((tag, index) => (
          <span key={tag}>
            {index > 0 && ", "}
            <Link to={imageAddress(repository, tag)}>{tag}</Link>
          </span>
        ))}
        {isCutOff && " and more"}
        {untagged > 0 && (
          <span class="dim">
            {tags.length > 0 && "; "}
            {countText(untagged, "manifest")} without a tag
          </span>
        )}
        {tags.length === 0 && untagged === 0 && <span class="dim">none</span>}
      </td>
    </tr>
  );
}

function Rounds({ rounds }: { readonly rounds: readonly Round[] }) {
  return (
    <details>
      <summary>The last {countText(rounds.length, "round")}</summary>
      <table class="rows bare">
        <caption class="said">Rounds of checks</caption>
        <thead>
          <tr>
            <th>Began</th>
            <th>Took</th>
            <th>Outcome</th>
            <th class="number">Read</th>
            <th class="number">Found</th>
            <th class="number">Healed</th>
          </tr>
        </thead>
        <tbody>
          {rounds.map(({ from, to, outcome, bytes, bad, healed }) => (
            <tr key={from}>
              <td class="name">
                <Time at={from} />
              </td>
              <td data-label="Took">
                {to === null ? "" : spanText(Math.max(0, Date.parse(to) - Date.parse(from)))}
              </td>
              <td data-label="Outcome">{outcome}</td>
              <td class="number" data-label="Read">
                <Bytes count={bytes} />
              </td>
              <td class="number" data-label="Found">
                {bad}
              </td>
              <td class="number" data-label="Healed">
                {healed}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Collecting() {
  const loaded = useEvery10s("collection", readCollection);
  const total = useLoad("usage total", (signal) =>
    requestJson<{ total: TotalUsage }>("v2/_zot/usage?n=1", { signal }),
  );
  return (
    <Shown loaded={loaded} lines={3}>
      {(collection) => (
        <Part
          title="Collection"
          id="collection"
          chip={collection.dryRun && <Chip tone="warn">dry run</Chip>}
        >
          <Figures
            figures={[
              { label: "Waiting", bytes: total.value?.total.waitingBytes },
              { label: "Held for an undo", bytes: total.value?.total.heldBytes },
              { label: "Uploads", bytes: total.value?.total.uploadBytes },
            ]}
          />
          <CollectionLines collection={collection} />
        </Part>
      )}
    </Shown>
  );
}

function CollectionLines({ collection }: { readonly collection: Collection }) {
  const { last, nextAt } = collection;
  const isLate = nextAt !== null && Date.parse(nextAt) < Date.now() - hourMs;
  return (
    <>
      <p>
        {last === null ? (
          "Nothing was removed yet."
        ) : (
          <>
            Removed <Time at={last.at} />: {countText(last.manifests, "manifest")},{" "}
            {countText(last.blobs, "blob")}, {bytesText(last.sizeBytes)}.
          </>
        )}
      </p>
      <p>
        {nextAt === null ? (
          "Nothing waits to be removed. "
        ) : (
          <>
            {isLate ? "More has been due since " : "More may go "}
            <Time at={nextAt} />.{" "}
            {isLate && "Is storage.gc off, its window closed, or does a rule keep it? "}
          </>
        )}
        <Link to="plan">The plan</Link> says what would go now, and why.
      </p>
    </>
  );
}

function Searching() {
  const loaded = useEvery10s("progress", readProgress);
  return (
    <Shown loaded={loaded} lines={2}>
      {(progress) => (
        <Part
          title="Search"
          id="searching"
          chip={
            progress.isIndexing ? (
              <Chip tone="accent">indexing {progress.percent} %</Chip>
            ) : (
              <Chip tone="good">complete</Chip>
            )
          }
        >
          <SearchLines progress={progress} />
        </Part>
      )}
    </Shown>
  );
}

function SearchLines({ progress }: { readonly progress: SearchProgress }) {
  const { isIndexing, percent, behind, repositories } = progress;
  const { done = 0, all = 0 } = repositories ?? {};
  return (
    <>
      {isIndexing && (
        <p class="hits small">
          <Meter part={percent / 100} says={`${percent} % of the repositories`} />
          <span>
            {done.toLocaleString("en")} of {all.toLocaleString("en")} repositories
          </span>
        </p>
      )}
      <p>
        {isIndexing
          ? "Lists and searches may miss what was here before."
          : "Lists and searches know everything that is here."}{" "}
        {behind > 0 && `${countText(behind, "change")} to take up.`}
      </p>
    </>
  );
}

const mirrorTones = { up: "good", limited: "warn", down: "bad" } as const;

function MirrorStates() {
  const loaded = useEvery10s("mirrors", (signal) =>
    requestJson<{ mirrors: readonly MirrorStatus[] }>("v2/_zot/mirrors", { signal }),
  );
  return (
    <Shown loaded={loaded} lines={2}>
      {({ mirrors }) => (
        <Part title="Mirrors" id="mirrors">
          <ul class="hosts">
            {mirrors.map(({ host, state, lastError }) => (
              <li key={host}>
                <Chip tone={mirrorTones[state]}>{state}</Chip> {host}
                {state !== "up" && lastError !== null && (
                  <span class="dim small"> {lastError.words}</span>
                )}
              </li>
            ))}
          </ul>
          <p>
            <Link to="mirrors">More of the mirrors</Link>
          </p>
        </Part>
      )}
    </Shown>
  );
}
