/**
 * Rules of content that give different names the same name here, as far as their text shows it: the same destination, and
 * the same glob behind it. Which of the names is meant cannot be told then.
 */
import { literalOf, trimmed } from "./content_rules.ts";
import { hostOfUrl } from "./hosts.ts";
import type { ContentValues, RegistryValues } from "./options.ts";

/** Two rules, by where they stand below `registries`. */
export interface SharedNames {
  readonly rule: string;
  readonly first: string;
  /** Whether they are of one upstream. */
  readonly isOneUpstream: boolean;
  /** Whether both are copied from time to time: each round would move the tags of the other. */
  readonly areCopied: boolean;
}

interface Place {
  readonly at: string;
  readonly hosts: readonly string[];
  readonly isCopied: boolean;
  /** What is taken off names of the upstream. */
  readonly stripped: string;
}

export function sharedNames(registries: readonly RegistryValues[]): readonly SharedNames[] {
  const places = new Map<string, Place>();
  const shared: SharedNames[] = [];
  for (const [index, { content, urls, pollInterval }] of registries.entries()) {
    const hosts = urls.map(hostOfUrl);
    for (const [row, values] of content.entries()) {
      const stripped = values.stripPrefix ? literalOf(values.prefix) : "";
      const at = `registries[${index}].content[${row}]`;
      const place = { at, hosts, isCopied: pollInterval > 0, stripped };
      const local = localNames(values, stripped);
      const first = places.get(local);
      if (first === undefined) {
        places.set(local, place);
        continue;
      }
      const isOneUpstream = first.hosts.some((host) => hosts.includes(host));
      if (isOneUpstream && first.stripped === stripped) continue;
      const areCopied = first.isCopied && place.isCopied;
      shared.push({ rule: at, first: first.at, isOneUpstream, areCopied });
    }
  }
  return shared;
}

/** The names here of a rule, as text. */
function localNames({ destination, prefix }: ContentValues, stripped: string): string {
  const rest = trimmed(trimmed(prefix).slice(stripped.length));
  return [trimmed(destination), rest].filter((part) => part !== "").join("/");
}
