/**
 * What history has forgotten: events that were older than it keeps, and all but the last of each day of tags that move
 * very often.
 *
 * What a tag was at a moment that history still tells of stays known: of what is forgotten, the last event of each tag
 * that is still there remains.
 */
import type { RecordStore } from "./records.ts";

export type ForgottenChange =
  /** Forgets events of this moment and before (milliseconds), so many of the oldest at most. */
  | { readonly kind: "forget"; readonly until: number; readonly limit: number }
  /** Of the events of a tag behind its newest `kept`, leaves the last of each day; removes `limit` of them at most. */
  | {
      readonly kind: "thin";
      readonly repository: string;
      readonly tag: string;
      readonly kept: number;
      readonly limit: number;
    }
  /** Tags of all events up to this one were looked at. */
  | { readonly kind: "looked"; readonly sequence: number };

export interface ForgottenReads {
  /** From when on history tells all that it does; zeros where nothing was forgotten. The moment is in microseconds. */
  begin(): Promise<{ readonly sequence: number; readonly moment: number }>;
  /** Whether there are events of this moment and before (milliseconds) that were not looked at yet. */
  isDue(until: number): Promise<boolean>;
  /** Events whose tags were not looked at yet, in order. */
  unlooked(limit: number): Promise<
    {
      readonly sequence: number;
      readonly repository: string;
      /** Null for an event of a manifest. */
      readonly tag: string | null;
    }[]
  >;
  /** Whether `thin` would remove events of a tag. */
  isCrowded(repository: string, tag: string, kept: number): Promise<boolean>;
  /** Of the events of a tag before this moment (microseconds) the last of each day is known; null for all of them. */
  daysBefore(repository: string, tag: string): Promise<number | null>;
  /** The moment of the first event of a tag after this one, in microseconds; null for none. */
  nextEvent(repository: string, tag: string, sequence: number): Promise<number | null>;
}

export const forgotten: RecordStore<ForgottenChange, ForgottenReads> = { name: "forgotten" };
