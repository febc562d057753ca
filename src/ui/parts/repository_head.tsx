/** The head of the pages of a repository: its name with the way up, and what it takes. */
import type { ComponentChildren } from "preact";
import { countText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { addressOf, Link, repositoryAddress } from "../core/router.tsx";
import { Bytes, Copy } from "./basics.tsx";

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
  return (
    <div class="heading page">
      <div>
        <Crumbs name={name} />
        {children ?? (
          <h1>
            {name}{" "}
            <Copy text={`${window.location.host}/${name}`} says="the name of the repository" />
          </h1>
        )}
        {usage.value !== null && children === undefined && (
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
