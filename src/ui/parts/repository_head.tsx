/** The head of the pages of a repository: its name with the way up, and what it takes. */
import type { ComponentChildren } from "preact";
import { countText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { host } from "../core/registry_place.ts";
import { aboutRepository } from "../core/preferences.ts";
import { addressOf, Link, repositoryAddress } from "../core/router.tsx";
import { session } from "../core/session.ts";
import { useStore } from "../core/store.ts";
import { Bytes, Copy } from "./basics.tsx";
import { LongText } from "./long_text.tsx";
import { Stars } from "./stars.tsx";

interface Usage {
  readonly linkedBytes: number;
  readonly tagCount: number;
  readonly manifests: number;
}

export function RepositoryHead({
  name,
  current,
  children,
}: {
  readonly name: string;
  readonly current: "tags" | "untagged" | "history" | "image";
  readonly children?: ComponentChildren;
}) {
  const usage = useLoad(`usage ${name}`, (signal) =>
    requestJson<Usage>(`v2/${name}/_zot/usage`, { signal }),
  );
  const { settings, name: caller } = useStore(session);
  const isWhole = children === undefined;
  const about = useLoad(isWhole && settings.hasSearch ? `about ${name}` : null, (signal) =>
    aboutRepository(name, signal),
  );
  return (
    <div class="heading page">
      <div class="names">
        <Crumbs name={name} />
        {children ?? (
          <h1>
            {name} <Copy text={`${host}/${name}`} says="the name of the repository" />
            {caller !== null && about.value !== null && (
              <Stars about={about.value} onChanged={about.reload} />
            )}
          </h1>
        )}
        {isWhole && about.value !== null && about.value.row.description !== "" && (
          <p>
            <LongText text={about.value.row.description} />
          </p>
        )}
        {usage.value !== null && isWhole && (
          <p class="dim">
            {countText(usage.value.tagCount, "tag")} ·{" "}
            {countText(usage.value.manifests, "manifest")} ·{" "}
            <Bytes count={usage.value.linkedBytes} /> compressed
          </p>
        )}
      </div>
      <nav class="pages" aria-label="Pages of the repository">
        <Link to={repositoryAddress(name)} aria-current={current === "tags" ? "page" : undefined}>
          Tags
        </Link>
        <Link
          to={addressOf(`untagged/${name}`)}
          aria-current={current === "untagged" ? "page" : undefined}
        >
          Untagged
        </Link>
        <Link
          to={addressOf(`history/${name}`)}
          aria-current={current === "history" ? "page" : undefined}
        >
          History
        </Link>
      </nav>
    </div>
  );
}

function Crumbs({ name }: { readonly name: string }) {
  const parts = name.split("/").slice(0, -1);
  return (
    <nav class="crumbs" aria-label="Where this is">
      <Link to="">Repositories</Link>
      {parts.map((part, index) => (
        <span key={part}>
          {" / "}
          <Link to={`?q=${encodeURIComponent(parts.slice(0, index + 1).join("/"))}`}>{part}</Link>
        </span>
      ))}
    </nav>
  );
}
