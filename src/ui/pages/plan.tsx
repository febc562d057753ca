/**
 * What retention and collection would remove now, each with the rule that decided, and carrying it out; with `of`, what
 * becomes of each tag of one repository.
 */
import { useState } from "preact/hooks";
import { bytesText, countText, shortDigest, spanText } from "../core/format.ts";
import { useLoad } from "../core/load.ts";
import {
  applyLines,
  explain,
  readPlan,
  type Applied,
  type Plan as PlanRead,
  type PlanLine,
  type Retention,
} from "../core/plan.ts";
import {
  addressOf,
  imageAddress,
  Link,
  repositoryAddress,
  setQuery,
  usePlace,
} from "../core/router.tsx";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import { Bytes, Chip, Empty, Failed, Shown, Time } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { planAddress } from "../parts/expiry.tsx";
import { Figures } from "../parts/figures.tsx";
import { Icon } from "../parts/icons.tsx";
import { say, sayProblem } from "../parts/toasts.tsx";

/** Rows that are shown at first. */
const rowsMax = 100;

export function Plan() {
  const of = usePlace().query.get("of");
  useTitle(of === null ? "Plan" : `Plan of ${of}`);
  return of === null ? <Whole /> : <OfRepository name={of} key={of} />;
}

function Whole() {
  const { isAdministrator } = useStore(session);
  const loaded = useLoad(isAdministrator ? "plan" : null, readPlan, false);
  const [applied, setApplied] = useState<Applied | null>(null);
  const onApplied = (result: Applied): void => {
    setApplied(result);
    loaded.reload();
  };
  return (
    <>
      <div class="heading">
        <div>
          <h1>Plan</h1>
          <p class="dim">What retention and collection would remove if they ran now.</p>
        </div>
        {isAdministrator && (
          <button type="button" onClick={loaded.reload} disabled={loaded.isLoading}>
            Look again
          </button>
        )}
      </div>
      {applied !== null && <Outcome applied={applied} />}
      {isAdministrator ? (
        <Shown loaded={loaded} lines={8}>
          {(plan) => <Lines plan={plan} key={plan.at} onApplied={onApplied} />}
        </Shown>
      ) : (
        <Failed
          status={403}
          message="The plan tells of every repository, so it is for administrators. What becomes of the tags of one repository is shown on its page."
        />
      )}
    </>
  );
}

function Outcome({ applied }: { readonly applied: Applied }) {
  const { removed, skipped } = applied;
  return (
    <div class="note" role="status">
      <p>
        <strong>{countText(removed, "entry").replace("entrys", "entries")} removed.</strong>{" "}
        {skipped.length > 0 && `${skipped.length.toLocaleString("en")} did not hold any more:`}
      </p>
      {skipped.length > 0 && (
        <ul class="small">
          {skipped.slice(0, 10).map((each) => (
            <li key={`${each.repository} ${each.tag ?? each.digest}`}>
              {nameOf(each)}: {each.reason}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Lines({
  plan,
  onApplied,
}: {
  readonly plan: PlanRead;
  readonly onApplied: (applied: Applied) => void;
}) {
  const text = usePlace().query.get("filter") ?? "";
  const [count, setCount] = useState(rowsMax);
  const [left, setLeft] = useState<ReadonlySet<PlanLine>>(new Set());
  const [isAsking, setAsking] = useState(false);
  if (plan.lines.length === 0) {
    return (
      <Empty icon="check" title="Nothing is to be removed">
        <p>Every tag is kept by a rule or by default, and all content is named by something.</p>
      </Empty>
    );
  }
  const found = text === "" ? plan.lines : plan.lines.filter((line) => nameOf(line).includes(text));
  const chosen = found.filter((line) => !left.has(line));
  const freed = chosen.reduce((sum, { bytesFreed }) => sum + bytesFreed, 0);
  const toggle = (line: PlanLine): void => {
    const next = new Set(left);
    if (!next.delete(line)) next.add(line);
    setLeft(next);
  };
  const kinds = (kind: PlanLine["kind"]): string =>
    plan.lines.filter((line) => line.kind === kind).length.toLocaleString("en");
  return (
    <>
      <Figures
        figures={[
          { label: "Frees", bytes: plan.bytesFreed },
          { label: "Tags", text: kinds("tag") },
          { label: "Manifests", text: kinds("manifest") },
          { label: "Blobs", text: kinds("blob") },
        ]}
      />
      {plan.isCutOff && <p class="dim">There is more: look again after this was applied.</p>}
      <div class="toolbar">
        <input
          type="search"
          placeholder="Filter by name"
          aria-label="Filter the plan by name"
          value={text}
          onInput={(event) => setQuery({ filter: event.currentTarget.value })}
        />
        <span class="dim">
          {chosen.length.toLocaleString("en")} of {plan.lines.length.toLocaleString("en")}, frees{" "}
          {bytesText(freed)}
        </span>
        <button
          type="button"
          class="main"
          disabled={chosen.length === 0}
          onClick={() => setAsking(true)}
        >
          <Icon name="broom" /> Remove
        </button>
      </div>
      <table class="rows plan">
        <thead>
          <tr>
            <th scope="col" class="pick">
              <span class="said">Removed</span>
            </th>
            <th scope="col">What</th>
            <th scope="col">Why</th>
            <th scope="col" class="number">
              Frees
            </th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, count).map((line) => (
            <LineRow
              key={`${line.kind} ${nameOf(line)}`}
              line={line}
              isChosen={!left.has(line)}
              onToggle={() => toggle(line)}
            />
          ))}
        </tbody>
      </table>
      {found.length > count && (
        <p class="more">
          <button type="button" onClick={() => setCount(count + rowsMax * 4)}>
            Show more of {found.length.toLocaleString("en")}
          </button>
        </p>
      )}
      {isAsking && (
        <Apply
          lines={chosen}
          freed={freed}
          onClose={() => setAsking(false)}
          onApplied={onApplied}
        />
      )}
    </>
  );
}

function nameOf({ repository, tag, digest }: Pick<PlanLine, "repository" | "tag" | "digest">) {
  return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
}

function LineRow({
  line,
  isChosen,
  onToggle,
}: {
  readonly line: PlanLine;
  readonly isChosen: boolean;
  readonly onToggle: () => void;
}) {
  const { kind, repository, tag, digest, reason, bytesFreed } = line;
  return (
    <tr data-row="">
      <td class="pick">
        <input
          type="checkbox"
          checked={isChosen}
          aria-label={`Remove ${nameOf(line)}`}
          onChange={onToggle}
        />
      </td>
      <td class="name">
        {kind === "tag" ? (
          <Link to={imageAddress(repository, tag ?? digest)}>
            {repository}:{tag}
          </Link>
        ) : (
          <span title={digest}>
            {repository}@{shortDigest(digest)}
          </span>
        )}
        <Chip>{kind}</Chip>
      </td>
      <td>
        {reason}{" "}
        {kind === "tag" && (
          <Link to={planAddress(repository)} class="quiet small">
            all of its tags
          </Link>
        )}
      </td>
      <td class="number" data-label="Frees">
        <Bytes count={bytesFreed} />
      </td>
    </tr>
  );
}

function Apply({
  lines,
  freed,
  onClose,
  onApplied,
}: {
  readonly lines: readonly PlanLine[];
  readonly freed: number;
  readonly onClose: () => void;
  readonly onApplied: (applied: Applied) => void;
}) {
  const { undoWindowMs } = useStore(session).settings;
  const [sent, setSent] = useState<number | null>(null);
  const apply = async (): Promise<void> => {
    setSent(0);
    try {
      const applied = await applyLines(lines, setSent);
      say(`${applied.removed.toLocaleString("en")} removed`);
      onApplied(applied);
    } catch (error) {
      sayProblem(error);
    }
    onClose();
  };
  return (
    <Dialog title="Remove what the plan names?" onClose={onClose}>
      <p>
        {lines.length.toLocaleString("en")} {lines.length === 1 ? "line" : "lines"}, which free{" "}
        {bytesText(freed)}. What has changed since is left alone.
      </p>
      <p class="dim">
        {undoWindowMs > 0
          ? `Tags can be taken back for ${spanText(undoWindowMs)}; their bytes are freed after that.`
          : "This server keeps nothing for an undo: it cannot be taken back."}
      </p>
      {sent !== null && (
        <progress max={lines.length} value={sent} aria-label="What was sent of the plan" />
      )}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" class="danger" disabled={sent !== null} onClick={() => void apply()}>
          Remove
        </button>
      </div>
    </Dialog>
  );
}

function OfRepository({ name }: { readonly name: string }) {
  const loaded = useLoad(`retention ${name}`, (signal) => explain(name, signal));
  return (
    <>
      <div class="heading">
        <div>
          <nav class="crumbs" aria-label="Above it">
            <Link to={addressOf("plan")}>Plan</Link>
          </nav>
          <h1>{name}</h1>
          <p class="dim">What becomes of each of its tags, and the rule that decides.</p>
        </div>
        <Link to={repositoryAddress(name)} class="button">
          Its tags
        </Link>
      </div>
      <Shown loaded={loaded} lines={8}>
        {(retention) => <Decisions name={name} retention={retention} />}
      </Shown>
    </>
  );
}

function Decisions({ name, retention }: { readonly name: string; readonly retention: Retention }) {
  const { policy, dryRun, tags } = retention;
  const [count, setCount] = useState(rowsMax);
  // What goes is what people came to see.
  const sorted = tags.toSorted(
    (a, b) => Number(a.decision === "keep") - Number(b.decision === "keep"),
  );
  if (tags.length === 0) return <Empty icon="tag" title="It has no tags" />;
  return (
    <>
      {policy === null && <p class="note">No policy of retention fits this repository.</p>}
      {dryRun && <p class="note">The policy is a dry run: nothing is removed by it.</p>}
      <table class="rows bare">
        <thead>
          <tr>
            <th scope="col">Tag</th>
            <th scope="col">Decision</th>
            <th scope="col">Why</th>
            <th scope="col">Pushed</th>
            <th scope="col">Pulled</th>
            <th scope="col">Until</th>
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, count).map(({ tag, decision, reason, pushedAt, pulledAt, until }) => (
            <tr key={tag} data-row="">
              <td class="name">
                <Link to={imageAddress(name, tag)}>
                  <Icon name="tag" /> {tag}
                </Link>
              </td>
              <td>
                <Chip tone={decision === "keep" ? "good" : "warn"}>
                  {decision === "keep" ? "stays" : "goes"}
                </Chip>
              </td>
              <td>{reason}</td>
              <td data-label="Pushed">
                <Time at={pushedAt} />
              </td>
              <td data-label="Pulled">
                <Time at={pulledAt} />
              </td>
              <td data-label="Until">
                <Time at={until} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > count && (
        <p class="more">
          <button type="button" onClick={() => setCount(count + rowsMax * 4)}>
            Show more of {countText(sorted.length, "tag")}
          </button>
        </p>
      )}
    </>
  );
}
