/** Tabs whose choice stands in the address; arrow keys move between them. */
import type { ComponentChildren } from "preact";
import { setQuery, usePlace } from "../core/router.tsx";

export interface Tab {
  readonly id: string;
  readonly label: string;
  readonly count?: number | null;
  readonly content: () => ComponentChildren;
}

export function Tabs({ tabs, says }: { readonly tabs: readonly Tab[]; readonly says: string }) {
  const { query } = usePlace();
  const chosen = tabs.find(({ id }) => id === query.get("tab")) ?? tabs[0];
  if (chosen === undefined) return null;
  const choose = (id: string): void => setQuery({ tab: id === tabs[0]?.id ? null : id });
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(chosen) + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    choose(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={says} onKeyDown={onKeyDown}>
        {tabs.map(({ id, label, count }) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`tab-${id}`}
            aria-selected={id === chosen.id}
            aria-controls="tab-content"
            tabIndex={id === chosen.id ? 0 : -1}
            onClick={() => choose(id)}
          >
            {label}
            {count !== undefined && count !== null && <span class="count">{count}</span>}
          </button>
        ))}
      </div>
      <div id="tab-content" role="tabpanel" aria-labelledby={`tab-${chosen.id}`}>
        {chosen.content()}
      </div>
    </>
  );
}
