/** Manifests of a repository that nothing names: since when, what becomes of each, and deleting one. */
import { useState } from "preact/hooks";
import { bytesText, countText, shortDigest, spanText } from "../core/format.ts";
import { useLoad } from "../core/load.ts";
import { deleteManifest, undelete } from "../core/manifest_changes.ts";
import { listUntagged, type Untagged as List, type UntaggedManifest } from "../core/plan.ts";
import { host } from "../core/registry_place.ts";
import { imageAddress, Link } from "../core/router.tsx";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { useTitle } from "../core/title.ts";
import { Bytes, Chip, Copy, Empty, Shown, Time } from "../parts/basics.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icons.tsx";
import { TypeChip } from "../parts/kind.tsx";
import { RepositoryHead } from "../parts/repository_head.tsx";
import { say, sayProblem } from "../parts/toasts.tsx";

export function Untagged({ name }: { readonly name: string }) {
  useTitle(`Untagged in ${name}`);
  const loaded = useLoad(`untagged ${name}`, (signal) => listUntagged(name, signal));
  return (
    <>
      <RepositoryHead name={name} current="untagged" />
      <Shown loaded={loaded} lines={6}>
        {(list) =>
          list.manifests.length === 0 ? (
            <Empty icon="check" title="Everything here has a name">
              <p>
                What lost its tag, and is in no index, would stand here until collection removes it.
              </p>
            </Empty>
          ) : (
            <Manifests name={name} list={list} />
          )
        }
      </Shown>
    </>
  );
}

function Manifests({ name, list }: { readonly name: string; readonly list: List }) {
  const [asked, setAsked] = useState<UntaggedManifest | null>(null);
  const { manifests, isCutOff, dryRun } = list;
  return (
    <>
      <p class="dim small">
        {countText(manifests.length, "manifest")} without a tag
        {isCutOff && ", and there are more"}. Collection removes what no rule keeps.
        {dryRun && " The rules are a dry run: nothing is removed by them."}
      </p>
      <table class="rows">
        <caption class="said">Manifests without a tag in {name}</caption>
        <thead>
          <tr>
            <th>Manifest</th>
            <th class="number">Size</th>
            <th>Pushed</th>
            <th>Pulled</th>
            <th>Without a name</th>
            <th>What becomes of it</th>
            <th>
              <span class="said">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {manifests.map((each) => (
            <ManifestLine
              key={each.digest}
              name={name}
              manifest={each}
              onDelete={() => setAsked(each)}
            />
          ))}
        </tbody>
      </table>
      {asked !== null && (
        <DeleteManifest name={name} manifest={asked} onClose={() => setAsked(null)} />
      )}
    </>
  );
}

function ManifestLine({
  name,
  manifest,
  onDelete,
}: {
  readonly name: string;
  readonly manifest: UntaggedManifest;
  readonly onDelete: () => void;
}) {
  const { digest, bytes, pushedAt, pushedBy, pulledAt, since, decision, reason, until } = manifest;
  return (
    <tr data-row="">
      <td class="name">
        <Link to={imageAddress(name, digest)} title={digest}>
          {shortDigest(digest)}
        </Link>
        <Kind manifest={manifest} />
      </td>
      <td class="number" data-label="Size">
        <Bytes count={bytes} />
      </td>
      <td data-label="Pushed">
        <Time at={pushedAt} />
        {pushedBy !== null && <span class="dim small"> by {pushedBy}</span>}
      </td>
      <td data-label="Pulled">
        <Time at={pulledAt} />
      </td>
      <td data-label="Nameless">
        <Time at={since} />
      </td>
      <td data-label="Becomes">
        {decision === "delete" ? <Chip tone="warn">goes</Chip> : <Chip tone="good">stays</Chip>}{" "}
        <span class="small">
          {reason}
          {until !== null && (
            <>
              , looked at again <Time at={until} />
            </>
          )}
        </span>
      </td>
      <td class="tools">
        <Copy
          text={`docker pull ${host}/${name}@${digest}`}
          says={`the pull command of ${shortDigest(digest)}`}
          hotkey="c"
        />
        <button
          type="button"
          class="copy"
          data-key="d"
          aria-label={`Delete ${shortDigest(digest)}`}
          onClick={onDelete}
        >
          <Icon name="trash" />
        </button>
      </td>
    </tr>
  );
}

function Kind({ manifest: { mediaType, artifactType } }: { readonly manifest: UntaggedManifest }) {
  if (/(index|manifest\.list)\.v/.test(mediaType)) return <Chip>index</Chip>;
  return <TypeChip type={artifactType ?? ""} />;
}

function DeleteManifest({
  name,
  manifest,
  onClose,
}: {
  readonly name: string;
  readonly manifest: UntaggedManifest;
  readonly onClose: () => void;
}) {
  const { digest, bytes } = manifest;
  const { undoWindowMs } = useStore(session).settings;
  const [isBusy, setBusy] = useState(false);
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      await deleteManifest(name, digest);
      const undo = async (): Promise<void> => {
        await undelete(name, digest);
        say(`${shortDigest(digest)} is back`);
      };
      const action = undoWindowMs > 0 ? { action: { label: "Undo", run: undo } } : {};
      say(`Deleted ${shortDigest(digest)}`, action);
    } catch (error) {
      sayProblem(error);
    }
    onClose();
  };
  return (
    <Dialog title={`Delete ${shortDigest(digest)}?`} onClose={onClose}>
      <p>
        From <strong>{name}</strong>, {bytesText(bytes)} with all that it names. What others need of
        it stays.
      </p>
      <p class="dim">
        {undoWindowMs > 0
          ? `It can be taken back for ${spanText(undoWindowMs)}.`
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
