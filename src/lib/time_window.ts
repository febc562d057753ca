/**
 * The time of day in which collection may work (`storage.gcTimeWindow`): `HH:MM-HH:MM` in UTC, over midnight where it
 * begins later than it ends.
 */

export interface TimeWindow {
  /** Minutes since midnight, UTC. */
  readonly fromMinute: number;
  /** The first minute that is outside. */
  readonly toMinute: number;
}

const minuteMs = 60_000;
const dayMinutes = 24 * 60;
const pattern = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** Null for what is none: another form, or one that begins when it ends. */
export function parseTimeWindow(text: string): TimeWindow | null {
  const [, ...parts] = pattern.exec(text) ?? [];
  if (parts.length === 0) return null;
  const [fromHour = 0, from = 0, toHour = 0, to = 0] = parts.map(Number);
  const window = { fromMinute: fromHour * 60 + from, toMinute: toHour * 60 + to };
  return window.fromMinute === window.toMinute ? null : window;
}

/** How long until the window is open, in milliseconds; 0 while it is, and without one. */
export function opensInMs(window: TimeWindow | null, now: number): number {
  if (window === null) return 0;
  const { fromMinute, toMinute } = window;
  const minute = Math.floor(now / minuteMs) % dayMinutes;
  const isOpen =
    fromMinute < toMinute
      ? fromMinute <= minute && minute < toMinute
      : fromMinute <= minute || minute < toMinute;
  if (isOpen) return 0;
  const minutes = (fromMinute - minute + dayMinutes) % dayMinutes;
  return minutes * minuteMs - (now % minuteMs);
}
