/** The map of storage: what takes the room, from the first component of a name down to a tag, and what a delete frees. */
import { useState } from "preact/hooks";
import { bytesText, countText } from "../core/format.ts";
import { useLoad } from "../core/load.ts";
import { addressOf, imageAddress, Link, repositoryAddress, usePlace } from "../core/router.tsx";
import { squarify } from "../core/squarify.ts";
import { useTitle } from "../core/title.ts";
import {
  sharesOf,
  tagsMax,
  usageBelow,
  usageOf,
  type PrefixUsage,
  type Quota,
  type QuotaFigure,
  type Share,
  type TagPage,
  type TagUsage,
} from "../core/usage.ts";
import { Bytes, Empty, Shown } from "../parts/basics.tsx";
import { Figures, Meter, type Figure } from "../parts/figures.tsx";
import { Icon } from "../parts/icons.tsx";

/** Rectangles of a map; the rest share one. */
const tilesMax = 40;
/** Rows of the list below it, at first. */
const rowsMax = 60;

export function Storage() {
  const at = usePlace().query.get("at") ?? "";
  useTitle(at === "" ? "Storage" : `Storage of ${at}`);
  const isRepository = at !== "" && !at.endsWith("/");
  return (
    <>
      <div class="heading">
        <div>
          <Crumbs at={at} />
          <h1>{at === "" ? "Storage" : at}</h1>
        </div>
        {isRepository && (
          <Link to={repositoryAddress(at)} class="button">
            Its tags
          </Link>
        )}
      </div>
      {isRepository ? <OneRepository name={at} key={at} /> : <Below prefix={at} key={at} />}
    </>
  );
}

const storageAddress = (at: string): string =>
  addressOf("storage", at === "" ? null : new URLSearchParams({ at }));

function Crumbs({ at }: { readonly at: string }) {
  if (at === "") return null;
  const parts = at.replace(/\/$/, "").split("/").slice(0, -1);
  return (
    <nav class="crumbs" aria-label="Above it">
      <Link to={storageAddress("")}>all</Link>
      {parts.map((part, index) => (
        <span key={index}>
          {" / "}
          <Link to={storageAddress(`${parts.slice(0, index + 1).join("/")}/`)}>{part}</Link>
        </span>
      ))}
    </nav>
  );
}

function Below({ prefix }: { readonly prefix: string }) {
  const loaded = useLoad(`usage ${prefix}`, (signal) => usageBelow(prefix, signal));
  return (
    <Shown loaded={loaded} lines={8}>
      {(usage) => <Map prefix={prefix} usage={usage} />}
    </Shown>
  );
}

function Map({ prefix, usage }: { readonly prefix: string; readonly usage: PrefixUsage }) {
  const { total, quotas, repositories, isCutOff } = usage;
  const shares = sharesOf(prefix, repositories).filter(({ bytes }) => bytes > 0);
  const [count, setCount] = useState(rowsMax);
  if (shares.length === 0) {
    return (
      <Empty icon="disk" title="Nothing takes any room here">
        <p>What is pushed shows up here at once.</p>
      </Empty>
    );
  }
  const largest = shares[0]?.bytes ?? 1;
  const knowsOwn = shares.some(({ ownBytes }) => ownBytes !== null);
  return (
    <>
      <Figures figures={figuresOf(usage)} />
      {!total.isCounted && (
        <p class="dim" role="status">
          Content from before is still being counted: the figures grow.
        </p>
      )}
      <Tiles shares={shares} />
      <p class="dim small">
        {knowsOwn && "The darker part is content that no other repository has. "}
        Content that several have counts in each of them.
        {isCutOff && " There are more repositories than this page asks for."}
      </p>
      <Quotas quotas={quotas} />
      <table class="rows bare">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" class="number">
              Repositories
            </th>
            <th scope="col">Part</th>
            <th scope="col" class="number">
              Takes
            </th>
            {knowsOwn && (
              <th scope="col" class="number" title="What nothing else has: it goes with the name">
                Own
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shares.slice(0, count).map((share) => (
            <tr key={share.at} data-row="">
              <td class="name">
                <Link to={storageAddress(share.at)}>
                  <Icon name={share.at.endsWith("/") ? "layers" : "box"} /> {share.label}
                </Link>
              </td>
              <td class="number" data-label="Holds">
                {share.repositories.toLocaleString("en")}
              </td>
              <td>
                <Meter part={share.bytes / largest} says={bytesText(share.bytes)} />
              </td>
              <td class="number" data-label="Takes">
                <Bytes count={share.bytes} />
              </td>
              {knowsOwn && (
                <td class="number" data-label="Own">
                  <Bytes count={share.ownBytes} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {shares.length > count && (
        <p class="more">
          <button type="button" onClick={() => setCount(count + rowsMax * 2)}>
            Show more of {shares.length.toLocaleString("en")}
          </button>
        </p>
      )}
    </>
  );
}

function figuresOf({ total, repositories }: PrefixUsage): readonly Figure[] {
  const { linkedBytes, ownBytes, physicalBytes, heldBytes, waitingBytes, uploadBytes } = total;
  // While content is being counted null is "not yet"; after that it is "not for this caller".
  const isOwnTold = physicalBytes === undefined && (ownBytes !== null || !total.isCounted);
  return [
    { label: "Content", bytes: linkedBytes, says: "Each content once" },
    { label: "On the disk", bytes: physicalBytes, says: "With what is held and on its way" },
    {
      label: "Own",
      bytes: isOwnTold ? ownBytes : undefined,
      says: "What nothing outside has: it would be freed with all of this",
    },
    { label: "Held for undo", bytes: heldBytes, says: "Goes first when the disk runs short" },
    { label: "Waiting", bytes: waitingBytes, says: "Nothing names it: collection will remove it" },
    { label: "Uploads", bytes: uploadBytes, says: "On their way in" },
    {
      label: "Repositories",
      text: (total.repositories || repositories.length).toLocaleString("en"),
    },
    { label: "Tags", text: total.tagCount.toLocaleString("en") },
  ];
}

function Tiles({ shares }: { readonly shares: readonly Share[] }) {
  const shown = shares.slice(0, tilesMax);
  const rest = shares.slice(tilesMax);
  const restBytes = rest.reduce((sum, { bytes }) => sum + bytes, 0);
  const values = [...shown.map(({ bytes }) => bytes), ...(restBytes > 0 ? [restBytes] : [])];
  // A larger rest at the end only makes its own rectangle longer.
  const areas = squarify(values, 16, 7);
  return (
    <div class="tiles" role="group" aria-label="A map: larger areas take more room">
      {areas.map((area, index) => {
        const share = shown[index];
        const style = {
          left: `${area.x * 100}%`,
          top: `${area.y * 100}%`,
          width: `${area.width * 100}%`,
          height: `${area.height * 100}%`,
        };
        const isSmall = area.width < 0.06 || area.height < 0.12;
        return (
          <div key={share?.at ?? "rest"} class={isSmall ? "tile small" : "tile"} style={style}>
            {share === undefined ? (
              <span class="inner">{rest.length.toLocaleString("en")} more</span>
            ) : (
              <Tile share={share} />
            )}
          </div>
        );
      })}
    </div>
  );
}

function Tile({ share: { at, label, bytes, ownBytes } }: { readonly share: Share }) {
  const own = ownBytes === null || bytes === 0 ? null : ownBytes / bytes;
  const says = `${label}, ${bytesText(bytes)}`;
  return (
    <Link to={storageAddress(at)} class="inner" title={says}>
      {own !== null && <i style={{ height: `${own * 100}%` }} />}
      <b>{label}</b> <span>{bytesText(bytes)}</span>
    </Link>
  );
}

const quotaFigures: readonly QuotaFigure[] = ["bytes", "tags", "manifests", "repositories"];

function Quotas({ quotas }: { readonly quotas: readonly Quota[] }) {
  if (quotas.length === 0) return null;
  return (
    <section class="quotas" aria-labelledby="quotas">
      <h2 id="quotas">Quotas</h2>
      <ul>
        {quotas.map((quota) => (
          <li key={quota.scope}>
            <strong>{quota.scope}</strong>
            {quotaFigures.map((figure) => (
              <QuotaLine key={figure} quota={quota} figure={figure} />
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}

function QuotaLine({ quota, figure }: { readonly quota: Quota; readonly figure: QuotaFigure }) {
  const limit = quota.limits[figure];
  if (limit === null) return null;
  const used = quota.used[figure];
  const part = limit === 0 ? 1 : used / limit;
  const tone = part >= 1 ? "bad" : part >= quota.warnAt ? "warn" : "plain";
  const amount = (value: number): string =>
    figure === "bytes" ? bytesText(value) : value.toLocaleString("en");
  const says = `${amount(used)} of ${amount(limit)}${figure === "bytes" ? "" : ` ${figure}`}`;
  return (
    <div class="quota">
      <Meter part={part} tone={tone} says={says} />
      <span class="small dim">{says}</span>
    </div>
  );
}

function OneRepository({ name }: { readonly name: string }) {
  const [count, setCount] = useState(tagsMax);
  const loaded = useLoad(`usage of ${name} ${count}`, (signal) => usageOf(name, count, signal));
  return (
    <Shown loaded={loaded} lines={8}>
      {(page) => <TagRows page={page} onMore={() => setCount(count + tagsMax * 2)} />}
    </Shown>
  );
}

function TagRows({ page, onMore }: { readonly page: TagPage; readonly onMore: () => void }) {
  const { usage, isCutOff } = page;
  const { name, linkedBytes, ownBytes, heldBytes, waitingBytes, tagCount, manifests } = usage;
  const tags = (usage.tags ?? []).toSorted((a, b) => freedOf(b) - freedOf(a));
  const largest = Math.max(1, ...tags.map((tag) => tag.linkedBytes));
  const figures: readonly Figure[] = [
    { label: "Takes", bytes: linkedBytes, says: "Each content once" },
    { label: "Own", bytes: ownBytes ?? undefined, says: "What no other repository has" },
    { label: "Held for undo", bytes: heldBytes, says: "It was removed, and can be taken back" },
    { label: "Waiting", bytes: waitingBytes, says: "Nothing names it: collection will remove it" },
    { label: "Tags", text: tagCount.toLocaleString("en") },
    { label: "Manifests", text: manifests.toLocaleString("en") },
  ];
  return (
    <>
      <Figures figures={figures} />
      <Quotas quotas={usage.quotas} />
      {tags.length === 0 ? (
        <Empty icon="tag" title="It has no tags" />
      ) : (
        <table class="rows bare">
          <thead>
            <tr>
              <th scope="col">Tag</th>
              <th scope="col">Part</th>
              <th scope="col" class="number">
                Takes
              </th>
              <th scope="col" class="number" title="When this tag alone is deleted">
                Freed if deleted
              </th>
            </tr>
          </thead>
          <tbody>
            {tags.map((tag) => (
              <tr key={tag.tag} data-row="">
                <td class="name">
                  <Link to={imageAddress(name, tag.tag)}>
                    <Icon name="tag" /> {tag.tag}
                  </Link>
                </td>
                <td>
                  <Meter
                    part={tag.linkedBytes / largest}
                    inner={freedOf(tag) / largest}
                    says={`${bytesText(tag.linkedBytes)}, ${bytesText(freedOf(tag))} of it its own`}
                  />
                </td>
                <td class="number" data-label="Takes">
                  <Bytes count={tag.linkedBytes} />
                </td>
                <td class="number" data-label="Frees">
                  <Bytes count={freedOf(tag)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {isCutOff && (
        <p class="more">
          <button type="button" onClick={onMore}>
            Show more of {countText(tagCount, "tag")}
          </button>
        </p>
      )}
    </>
  );
}

const freedOf = ({ freedBytes, freedHereBytes }: TagUsage): number => freedBytes ?? freedHereBytes;
