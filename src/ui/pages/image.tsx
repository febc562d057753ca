/** The page of an image or artifact: what it is, how to pull it, and tabs for all that is known of it. */
import type { ComponentChildren, JSX } from "preact";
import { artifactFacts } from "../../oci/artifact_facts.ts";
import { artifactKindOf, type ArtifactKind } from "../../oci/artifact_kinds.ts";
import { shortDigest } from "../core/format.ts";
import {
  bytesOf,
  createdOf,
  isAttestation,
  loadConfig,
  loadManifest,
  loadReferrers,
  type Descriptor,
  type Manifest,
} from "../core/image.ts";
import { useLoad } from "../core/load.ts";
import { explain } from "../core/plan.ts";
import { addressOf, imageAddress, Link, setQuery, usePlace } from "../core/router.tsx";
import { Bytes, Digest, Empty, Shown, Time, Waiting } from "../parts/basics.tsx";
import { Commands } from "../parts/commands.tsx";
import { Expiry, hasExpiry } from "../parts/expiry.tsx";
import { Icon } from "../parts/icons.tsx";
import { KindChip } from "../parts/kind.tsx";
import { LongText } from "../parts/long_text.tsx";
import { RepositoryHead } from "../parts/repository_head.tsx";
import { Tabs, type Tab } from "../parts/tabs.tsx";
import { ArtifactDetails } from "./artifact_details.tsx";
import { Attached } from "./attached.tsx";
import { ConfigView } from "./config_view.tsx";
import { LayersView } from "./layers_view.tsx";
import { RawView } from "./raw_view.tsx";
import { RelatedImages } from "./related.tsx";

export function Image({
  repository,
  reference,
}: {
  readonly repository: string;
  readonly reference: string;
}) {
  const manifest = useLoad(`manifest ${repository} ${reference}`, (signal) =>
    loadManifest(repository, reference, signal),
  );
  return (
    <Shown
      loaded={manifest}
      lines={8}
      absent={
        <>
          <RepositoryHead name={repository} current="image" />
          <Empty icon="tag" title={`${reference} is not there`}>
            <p>It was deleted or moved, or never pushed. Its history may know.</p>
            <p>
              <Link to={addressOf(`history/${repository}`)} class="button">
                <Icon name="clock" /> History of {repository}
              </Link>
            </p>
          </Empty>
        </>
      }
    >
      {(value) => <Loaded top={value} reference={reference} />}
    </Shown>
  );
}

function Loaded({ top, reference }: { readonly top: Manifest; readonly reference: string }) {
  const { query } = usePlace();
  const platforms = top.children.filter((child) => !isAttestation(child));
  const asked = query.get("platform");
  const chosen = platforms.find(({ platform }) => platform === asked) ?? platforms[0] ?? null;
  const child = useLoad(
    top.isIndex && chosen !== null ? `manifest ${top.repository} ${chosen.digest}` : null,
    (signal) => loadManifest(top.repository, chosen?.digest ?? "", signal),
    false,
  );
  const shown = top.isIndex ? child.value : top;
  const config = useLoad(
    shown === null ? null : `config ${shown.repository} ${shown.digest}`,
    (signal) => (shown === null ? Promise.resolve(null) : loadConfig(shown, signal)),
    false,
  );
  const digests = [top.digest, ...(shown === null || shown === top ? [] : [shown.digest])];
  const attached = useLoad(`attached ${top.repository} ${digests.join(" ")}`, async (signal) => {
    const lists = await Promise.all(
      digests.map((digest) => loadReferrers(top.repository, digest, signal)),
    );
    return lists.flat();
  });
  const kind = artifactKindOf(artifactFacts(top.document));
  const tabs = tabsOf({
    top,
    reference,
    shown,
    config: config.value,
    kind,
    attached: attached.value,
  });
  return (
    <>
      <RepositoryHead name={top.repository} current="image">
        <Title top={top} reference={reference} kind={kind} />
      </RepositoryHead>
      <Facts top={top} shown={shown} config={config.value} kind={kind}>
        {!reference.includes(":") && <Expires repository={top.repository} tag={reference} />}
      </Facts>
      <Commands
        kind={kind}
        repository={top.repository}
        reference={reference}
        digest={top.digest}
        subject={top.subject?.digest ?? null}
      />
      {platforms.length > 1 && <PlatformSwitch platforms={platforms} chosen={chosen} />}
      {top.isIndex && chosen !== null && child.problem !== null && (
        <p class="dim">
          The image of this platform is not here: an index may name what was not pushed.
        </p>
      )}
      <Tabs says="What is known of it" tabs={tabs} />
    </>
  );
}

function Title({
  top,
  reference,
  kind,
}: {
  readonly top: Manifest;
  readonly reference: string;
  readonly kind: ArtifactKind;
}) {
  const isDigest = reference.includes(":");
  return (
    <>
      <h1>
        <Link to={addressOf(`r/${top.repository}`)} class="quiet">
          {top.repository}
        </Link>
        {isDigest ? `@${shortDigest(reference)}` : `:${reference}`}
      </h1>
      <p class="facts-line">
        <KindChip kind={kind} />
        <Digest digest={top.digest} />
      </p>
    </>
  );
}

function Facts({
  top,
  shown,
  config,
  kind,
  children,
}: {
  readonly top: Manifest;
  readonly shown: Manifest | null;
  readonly config: unknown;
  readonly kind: ArtifactKind;
  readonly children: ComponentChildren;
}) {
  const created = shown === null ? null : createdOf(shown, config);
  const description = top.annotations["org.opencontainers.image.description"];
  return (
    <>
      {description !== undefined && description !== "" && (
        <p class="lead dim">
          <LongText text={description} />
        </p>
      )}
      <dl class="figures">
        <div>
          <dt>Size, compressed</dt>
          <dd>
            <Bytes count={shown === null ? null : bytesOf(shown)} />
          </dd>
        </div>
        {created !== null && (
          <div>
            <dt>Created</dt>
            <dd>
              <Time at={created} />
            </dd>
          </div>
        )}
        {shown !== null && (
          <div>
            <dt>{kind.group === "image" ? "Layers" : "Files"}</dt>
            <dd>{shown.layers.length}</dd>
          </div>
        )}
        {top.subject !== null && (
          <div>
            <dt>Says something of</dt>
            <dd>
              <Link to={imageAddress(top.repository, top.subject.digest)}>
                {shortDigest(top.subject.digest)}
              </Link>
            </dd>
          </div>
        )}
        {children}
      </dl>
    </>
  );
}

/** What retention decides about the tag, where it decides anything. */
function Expires({ repository, tag }: { readonly repository: string; readonly tag: string }) {
  const { value } = useLoad(`retention ${repository} ${tag}`, (signal) =>
    explain(repository, signal, tag),
  );
  const told = value?.tags[0];
  if (value === null || told === undefined || !hasExpiry(told)) return null;
  return (
    <div>
      <dt>Expires</dt>
      <dd>
        <Expiry repository={repository} told={told} isDryRun={value.dryRun} />
      </dd>
    </div>
  );
}

function PlatformSwitch({
  platforms,
  chosen,
}: {
  readonly platforms: readonly Descriptor[];
  readonly chosen: Descriptor | null;
}) {
  return (
    <div class="platforms" role="group" aria-label="Platform">
      {platforms.map((each) => (
        <button
          key={each.digest}
          type="button"
          aria-pressed={each === chosen}
          onClick={() => setQuery({ platform: each.platform })}
        >
          {each.platform === "" ? shortDigest(each.digest) : each.platform}
        </button>
      ))}
    </div>
  );
}

function tabsOf({
  top,
  reference,
  shown,
  config,
  kind,
  attached,
}: {
  readonly top: Manifest;
  readonly reference: string;
  readonly shown: Manifest | null;
  readonly config: unknown;
  readonly kind: ArtifactKind;
  readonly attached: readonly Descriptor[] | null;
}): Tab[] {
  const isImage = kind.group === "image";
  const attestations = top.children.filter(isAttestation);
  const raw: Tab = {
    id: "raw",
    label: "Raw",
    content: () => <RawView top={top} shown={shown} config={config} />,
  };
  const attachedTab: Tab = {
    id: "attached",
    label: "Attached",
    count: attached === null ? null : attached.length + attestations.length,
    content: () => (
      <Attached repository={top.repository} attached={[...(attached ?? []), ...attestations]} />
    ),
  };
  const isPlatformless = top.isIndex && !top.children.some((child) => !isAttestation(child));
  if (!isImage || isPlatformless) {
    const details: Tab = {
      id: "details",
      label: "Details",
      content: () => <ArtifactDetails manifest={top} config={config} kind={kind} />,
    };
    return [details, attachedTab, raw];
  }
  return [
    {
      id: "layers",
      label: "Layers",
      count: shown?.layers.length ?? null,
      content: () => whenLoaded(shown, (value) => <LayersView manifest={value} config={config} />),
    },
    {
      id: "config",
      label: "Config",
      content: () =>
        whenLoaded(shown, (value) => <ConfigView manifest={value} config={config} top={top} />),
    },
    attachedTab,
    ...(reference.includes(":")
      ? []
      : [
          {
            id: "related",
            label: "Related",
            content: () => <RelatedImages repository={top.repository} tag={reference} />,
          },
        ]),
    raw,
  ];
}

function whenLoaded(shown: Manifest | null, draw: (value: Manifest) => JSX.Element): JSX.Element {
  return shown === null ? <Waiting lines={5} /> : draw(shown);
}
