/** What pull-through knows of the configuration: the mirrored upstreams, and how their names map to names here. */
import type { Upstream } from "../upstream/upstream.ts";

/** One upstream that is mirrored, and how. */
export interface Mirror {
  readonly upstream: Upstream;
  /** All hosts of its entry, which are alike; the first one is what a repository remembers as its origin. */
  readonly hosts: readonly string[];
  /** How long a tag that was checked is served without a question. */
  readonly manifestCheckMs: number;
  /** Serve what is here while the upstream is in trouble. */
  readonly serveStale: boolean;
  /** Lists of tags show what the upstream has, too. */
  readonly mergesTags: boolean;
  readonly allowsPush: boolean;
  /** What becomes of cached content that the upstream refuses us. */
  readonly onDenied: "serve" | "refuse";
  /** What becomes of a download that nobody reads any more. */
  readonly onClientGone: "finish" | "stop";
  /** A tag that is gone upstream goes here, too. */
  readonly propagatesDeletes: boolean;
  /** Only what is signed at the upstream comes here; tags of cosign count as signatures where they are taken. */
  readonly onlySigned: boolean;
  readonly takesCosignTags: boolean;
  /** Fetch blobs that no cached manifest names. */
  readonly relaysUnknownBlobs: boolean;
}

/** A repository of an upstream. */
export interface MirroredName {
  readonly mirror: Mirror;
  /** As the upstream calls it. */
  readonly name: string;
  /** Mirrors that the request came through; none where it is left out. */
  readonly hops?: number;
}

/**
 * What questions are joined by: those that came through as many mirrors. One that came back in a circle would wait for
 * itself.
 */
export function joinedBy(asked: string, { hops = 0 }: MirroredName): string {
  return hops === 0 ? asked : `${asked} ${hops}`;
}

/** What is asked, and where: upstreams that share a name here say nothing about each other's content. */
export function askedOf(asked: string, sources: readonly MirroredName[]): string {
  return [asked, ...sources.map(({ mirror }) => mirror.upstream.host)].join(" ");
}

/** Where a name of an upstream is here. */
export interface LocatedMirror {
  readonly repository: string;
  readonly host: string;
}

export interface MirrorNames {
  /** The name here of what a client asks for at a registry; null for a registry or name that is not mirrored. */
  localName(namespace: string, name: string): LocatedMirror | null;
  /** The one spelling of a name here that has several, such as `docker.io/alpine`. */
  canonical(repository: string): string;
  /** What a name without a host means at the mirror of Docker Hub, for clients that know no other; null without one. */
  atRoot(name: string): string | null;
  /** The upstreams that a name here comes from, in the order in which they are asked. */
  upstreamsOf(repository: string): readonly MirroredName[];
}
