/** Two images side by side: what differs in config and layers, and in packages where both have an SBOM. */
import { bytesText, shortDigest } from "../core/format.ts";
import {
  configDifferences,
  layerDifferences,
  packageDifferences,
  type Difference,
} from "../core/differences.ts";
import { Problem } from "../core/http.ts";
import {
  bytesOf,
  documentBytesMax,
  isAttestation,
  loadConfig,
  loadManifest,
  loadReferrers,
  loadText,
  type Manifest,
} from "../core/image.ts";
import { parsed } from "../core/shapes.ts";
import { useLoad } from "../core/load.ts";
import { imageAddress, Link, setQuery, usePlace } from "../core/router.tsx";
import { openDocument } from "../core/documents.ts";
import { sbomOf, type Sbom } from "../core/sbom.ts";
import { useTitle } from "../core/title.ts";
import { Bytes, Chip, Digest, Empty, Shown } from "../parts/basics.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { FileDifferences } from "./file_differences.tsx";

/** One side, of one platform. */
interface Side {
  readonly given: string;
  readonly repository: string;
  readonly reference: string;
  readonly manifest: Manifest;
  readonly config: unknown;
  readonly platforms: readonly string[];
  readonly sbom: Sbom | null;
}

const linesMax = 1_000;

export function Compare() {
  const { query } = usePlace();
  const [a, b] = [query.get("a") ?? "", query.get("b") ?? ""];
  const platform = query.get("platform") ?? "";
  useTitle("Compare");
  const areGiven = a !== "" && b !== "";
  const sides = useLoad(
    areGiven ? `compare ${a} ${b} ${platform}` : null,
    async (signal) => {
      const one = await loadSide(a, platform, signal);
      const other = await loadSide(b, platform || (one.platforms[0] ?? ""), signal);
      return [one, other] as const;
    },
    false,
  );
  return (
    <>
      <div class="heading page">
        <h1>Compare</h1>
      </div>
      <Form key={`${a} ${b}`} a={a} b={b} />
      {areGiven ? (
        <Shown loaded={sides} lines={6}>
          {([one, other]) => <Differences a={one} b={other} />}
        </Shown>
      ) : (
        <Empty icon="compare" title="Which two?">
          <p>
            Name two images, such as <code>team/shop:1.0</code> and <code>team/shop:1.1</code>. Two
            moments of one tag are compared by their digests, which its history tells.
          </p>
        </Empty>
      )}
    </>
  );
}

function Form({ a, b }: { readonly a: string; readonly b: string }) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => {
      const value = data.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    setQuery({ a: text("a"), b: text("b"), platform: null });
  };
  return (
    <form class="toolbar pair" onSubmit={submit}>
      <label>
        Before
        <input name="a" required defaultValue={a} spellcheck={false} placeholder="team/shop:1.0" />
      </label>
      <label>
        After
        <input name="b" required defaultValue={b} spellcheck={false} placeholder="team/shop:1.1" />
      </label>
      <button type="submit" class="main">
        Compare
      </button>
    </form>
  );
}

async function loadSide(given: string, platform: string, signal: AbortSignal): Promise<Side> {
  const match = /^([^:@]+)(?:@(.+:.+)|:([^:]+))?$/.exec(given);
  const repository = match?.[1] ?? "";
  const reference = match?.[2] ?? match?.[3] ?? "latest";
  if (match === null) throw new Problem(0, `Expected name:tag or name@digest, got ${given}`);
  const top = await named(given, () => loadManifest(repository, reference, signal));
  const children = top.children.filter((child) => !isAttestation(child));
  const child = children.find((each) => each.platform === platform) ?? children[0];
  const manifest =
    child === undefined
      ? top
      : await named(given, () => loadManifest(repository, child.digest, signal));
  return {
    given,
    repository,
    reference,
    manifest,
    config: await loadConfig(manifest, signal),
    platforms: children.map((each) => each.platform),
    sbom: await loadSbom(repository, [manifest.digest, top.digest], signal),
  };
}

/** Says of which of the two a problem is. */
async function named<T>(given: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    throw new Problem(400, `${given} is not there`);
  }
}

/** The first SBOM that refers to one of these; null where there is none that can be read. */
async function loadSbom(
  repository: string,
  digests: readonly string[],
  signal: AbortSignal,
): Promise<Sbom | null> {
  for (const digest of new Set(digests)) {
    const referrers = await loadReferrers(repository, digest, signal);
    const found = referrers.filter(({ artifactType }) =>
      /spdx|cyclonedx/i.test(artifactType ?? ""),
    );
    for (const each of found.slice(0, 3)) {
      const { layers } = await loadManifest(repository, each.digest, signal);
      const [layer] = layers;
      if (layer === undefined || layer.size > documentBytesMax) continue;
      const sbom = sbomOf(
        openDocument(parsed(await loadText(repository, layer, documentBytesMax, signal))).value,
      );
      if (sbom !== null) return sbom;
    }
  }
  return null;
}

function Differences({ a, b }: { readonly a: Side; readonly b: Side }) {
  const [before, after] = [bytesOf(a.manifest), bytesOf(b.manifest)];
  const layers = layerDifferences(a.manifest, b.manifest);
  const config = configDifferences(a.config, b.config);
  const packages = a.sbom === null || b.sbom === null ? null : packageDifferences(a.sbom, b.sbom);
  const grown = after - before;
  const platforms = a.platforms.filter((each) => b.platforms.includes(each));
  const { query } = usePlace();
  const platform = query.get("platform") ?? platforms[0];
  if (a.manifest.digest === b.manifest.digest) {
    return (
      <Empty icon="check" title="They are the same">
        <p>
          Both names point at <code>{shortDigest(a.manifest.digest)}</code>.
        </p>
      </Empty>
    );
  }
  return (
    <>
      {platforms.length > 1 && (
        <div class="platforms" role="group" aria-label="Platform">
          {platforms.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === platform}
              onClick={() => setQuery({ platform: each })}
            >
              {each}
            </button>
          ))}
        </div>
      )}
      <dl class="figures">
        {[a, b].map((side, index) => (
          <div key={index}>
            <dt>{index === 0 ? "Before" : "After"}</dt>
            <dd>
              <Link to={imageAddress(side.repository, side.reference)}>
                <Bytes count={index === 0 ? before : after} />
              </Link>
            </dd>
          </div>
        ))}
        <div>
          <dt>Change</dt>
          <dd>{`${grown < 0 ? "−" : "+"}${bytesText(Math.abs(grown))}`}</dd>
        </div>
        <div>
          <dt>In both</dt>
          <dd>
            {layers.common} of {b.manifest.layers.length} layers
          </dd>
        </div>
      </dl>
      <Tabs
        says="What differs"
        tabs={[
          {
            id: "config",
            label: "Config",
            count: config.length,
            content: () => <DifferenceTable rows={config} of="Setting" />,
          },
          {
            id: "layers",
            label: "Layers",
            count: layers.onlyA.length + layers.onlyB.length,
            content: () => (
              <LayerTable a={layers.onlyA} b={layers.onlyB} common={layers.commonBytes} />
            ),
          },
          {
            id: "files",
            label: "Files",
            content: () => (
              <FileDifferences
                a={{ repository: a.repository, digest: a.manifest.digest }}
                b={{ repository: b.repository, digest: b.manifest.digest }}
              />
            ),
          },
          {
            id: "packages",
            label: "Packages",
            count: packages?.length ?? null,
            content: () =>
              packages === null ? (
                <Empty icon="box" title="No SBOM of both">
                  <p>
                    Packages are compared where an SBOM (SPDX or CycloneDX) is attached to each of
                    the two.
                  </p>
                </Empty>
              ) : (
                <DifferenceTable rows={packages} of="Package" />
              ),
          },
        ]}
      />
    </>
  );
}

const tones = { added: "good", removed: "bad", changed: "accent" } as const;

function DifferenceTable({
  rows,
  of,
}: {
  readonly rows: readonly Difference[];
  readonly of: string;
}) {
  if (rows.length === 0) return <p class="dim">Nothing differs here.</p>;
  return (
    <>
      <table class="rows differences">
        <caption class="said">What differs</caption>
        <thead>
          <tr>
            <th>{of}</th>
            <th>How</th>
            <th>Before</th>
            <th>After</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, linesMax).map(({ section, name, how, before, after }, index) => (
            <tr key={index} data-row="">
              <td class="name">
                {name} <span class="dim small">{section}</span>
              </td>
              <td data-label="How">
                <Chip tone={tones[how]}>{how}</Chip>
              </td>
              <td data-label="Before">
                <code>{before.slice(0, 2_000)}</code>
              </td>
              <td data-label="After">
                <code>{after.slice(0, 2_000)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > linesMax && <p class="dim">And {rows.length - linesMax} more.</p>}
    </>
  );
}

function LayerTable({
  a,
  b,
  common,
}: {
  readonly a: Manifest["layers"];
  readonly b: Manifest["layers"];
  readonly common: number;
}) {
  const rows = [
    ...a.map((layer) => ({ layer, how: "removed" as const })),
    ...b.map((layer) => ({ layer, how: "added" as const })),
  ];
  return (
    <>
      <p class="dim">
        Layers in both hold {bytesText(common)}, which a client that has one pulls no more.
      </p>
      <table class="rows">
        <caption class="said">Layers of one alone</caption>
        <thead>
          <tr>
            <th>Layer</th>
            <th>How</th>
            <th class="number">Size</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ layer, how }, index) => (
            <tr key={index} data-row="">
              <td class="name">
                <Digest digest={layer.digest} />
              </td>
              <td data-label="How">
                <Chip tone={tones[how]}>{how}</Chip>
              </td>
              <td class="number" data-label="Size">
                <Bytes count={layer.size} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
