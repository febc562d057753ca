/** How the mirrored upstreams are: up or not, what they still allow, and how much was answered from here. */
import { useEffect } from "preact/hooks";
import type { MirrorStatus } from "../../lib/mirror_status.ts";
import { spanText } from "../core/format.ts";
import { requestJson } from "../core/http.ts";
import { useLoad } from "../core/load.ts";
import { host as here } from "../core/registry_place.ts";
import { useTitle } from "../core/title.ts";
import { Chip, Empty, Shown, Time } from "../parts/basics.tsx";
import { Figures, Meter } from "../parts/figures.tsx";

const lookAgainMs = 10_000;

export function Mirrors() {
  useTitle("Mirrors");
  const loaded = useLoad(
    "mirrors",
    (signal) => requestJson<{ mirrors: readonly MirrorStatus[] }>("v2/_zot/mirrors", { signal }),
    false,
  );
  const { reload } = loaded;
  useEffect(() => {
    const timer = window.setInterval(reload, lookAgainMs);
    return () => window.clearInterval(timer);
  }, [reload]);
  return (
    <>
      <div class="heading">
        <div>
          <h1>Mirrors</h1>
          <p class="dim">Upstreams that are fetched from when somebody pulls.</p>
        </div>
      </div>
      <Shown loaded={loaded} lines={6} absent={<NoMirrors />}>
        {({ mirrors }) =>
          mirrors.length === 0 ? (
            <NoMirrors />
          ) : (
            <ul class="mirrors">
              {mirrors.map((mirror) => (
                <MirrorCard key={mirror.host} mirror={mirror} />
              ))}
            </ul>
          )
        }
      </Shown>
    </>
  );
}

function NoMirrors() {
  return (
    <Empty icon="mirror" title="This registry mirrors nothing">
      <p>
        <code>zot serve --mirror docker.io,ghcr.io</code> makes it a mirror of both.
      </p>
    </Empty>
  );
}

const states = {
  up: { tone: "good", text: "up" },
  limited: { tone: "warn", text: "limited" },
  down: { tone: "bad", text: "down" },
} as const;

function MirrorCard({ mirror }: { readonly mirror: MirrorStatus }) {
  const { host, atRoot, mappings, state, since, lastError, budgetLeft, reset } = mirror;
  const { pulls, hitRatio, oldestStaleS } = mirror.lastDay;
  const { tone, text } = states[state];
  return (
    <li data-row="">
      <div class="line">
        <h2>{host}</h2>
        <Chip tone={tone}>{text}</Chip>
        {state !== "up" && since !== null && (
          <span class="dim small">
            since <Time at={since} />
          </span>
        )}
        {reset !== null && (
          <span class="dim small">
            asked again <Time at={reset} />
          </span>
        )}
      </div>
      <Figures
        figures={[
          { label: "Cached", bytes: mirror.cached.bytes },
          { label: "Repositories", text: mirror.cached.repositories.toLocaleString("en") },
          { label: "Pulls in a day", text: pulls.toLocaleString("en") },
          ...(budgetLeft === null
            ? []
            : [
                {
                  label: "Requests left",
                  text: budgetLeft.toLocaleString("en"),
                  says: "As the upstream itself says",
                },
              ]),
          ...(oldestStaleS === null
            ? []
            : [
                {
                  label: "Oldest answer",
                  text: spanText(oldestStaleS * 1000),
                  says: "Since its last check, of what was served without the upstream",
                },
              ]),
        ]}
      />
      {hitRatio !== null && (
        <p class="hits small">
          <Meter
            part={hitRatio}
            tone="good"
            says={`${Math.round(hitRatio * 100)} % of the pulls answered from here`}
          />
          {Math.round(hitRatio * 100)} % answered from here
        </p>
      )}
      {lastError !== null && (
        <p class="small">
          <span class="dim">
            Last trouble, <Time at={lastError.at} />:
          </span>{" "}
          {lastError.words}
        </p>
      )}
      <p class="small dim">
        {atRoot && "Names without a host mean it. "}
        {mappings.map(({ upstream, local }) => (
          <span key={`${upstream} ${local}`}>
            <code>{[host, upstream, "…"].filter((part) => part !== "").join("/")}</code> is pulled
            as <code>{[here, local, "…"].filter((part) => part !== "").join("/")}</code>.{" "}
          </span>
        ))}
      </p>
    </li>
  );
}
