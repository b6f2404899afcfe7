/** The time of day as a run sees it: it stands still where the machine's clock is set back, and never goes backwards. */
export interface WallClock {
  /** Milliseconds since 1970, at least those of the call before. */
  now(): number;
  /** Makes no later call give less than this time (milliseconds since 1970). */
  notBefore(time: number): void;
}

/**
 * A clock that never goes backwards, for what a run says of *when*. Durations are differences of `performance.now()`, never of this.
 * @param read the machine's clock
 */
export function wallClock(read: () => number = Date.now): WallClock {
  let last = Number.NEGATIVE_INFINITY;
  return {
    now: () => {
      last = Math.max(last, read());
      return last;
    },
    notBefore: time => {
      if (time > last) last = time;
    },
  };
}
