/**
 * Learning-rate schedules: pure functions of the step. The unit of `step` is the caller's (updates, or epochs with a fraction), as long as it
 * is the same throughout one schedule.
 */

/** The learning rate (or a factor of it) at a step, counted from 0. */
export type Schedule = (step: number) => number;

/** Always `rate`. */
export function constantRate(rate: number): Schedule {
  return () => rate;
}

/** `rate` times `gamma` for every `every` steps gone by. */
export function stepDecay(rate: number, every: number, gamma = 0.1): Schedule {
  requirePositive('stepDecay', 'every', every);
  return step => rate * gamma ** Math.floor(step / every);
}

/** `rate` times `gamma` for every milestone reached (milestone <= step). */
export function multiStep(rate: number, milestones: readonly number[], gamma = 0.1): Schedule {
  requireAscending('multiStep', milestones);
  return step => rate * gamma ** milestones.filter(milestone => milestone <= step).length;
}

/**
 * `rate` times the factor of the last boundary reached: `boundaries` are where the factors begin, the first of them 0.
 * @throws RangeError if there is not one factor for each boundary
 */
export function piecewise(rate: number, boundaries: readonly number[], factors: readonly number[]): Schedule {
  requireAscending('piecewise', boundaries);
  if (boundaries.length !== factors.length || boundaries[0] !== 0) {
    throw new RangeError(
      `piecewise: expected boundaries from 0 on and a factor for each, found [${boundaries}] and [${factors}]`,
    );
  }
  return step => rate * factors[Math.max(0, boundaries.filter(boundary => boundary <= step).length - 1)];
}

/**
 * Half a cosine from `rate` at 0 to `floor` at `steps`, and `floor` from there on: floor + (rate - floor) (1 + cos(pi step / steps)) / 2.
 * `steps` may be Infinity, which keeps the rate. Source: I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, eq. 5.
 */
export function cosine(rate: number, steps: number, floor = 0): Schedule {
  requirePositive('cosine', 'steps', steps);
  return step => floor + 0.5 * (rate - floor) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps || 0));
}

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** Rate at step 0; default 0. */
  readonly from?: number;
  /** Step at which the line meets the schedule; default `steps`. With `steps - 1` the last step of the warm-up has the full rate. */
  readonly meets?: number;
  /**
   * `overlay` (default): the warm-up takes the place of the schedule's first steps. `before`: the schedule begins after it, from its own step 0.
   */
  readonly placed?: 'overlay' | 'before';
}

/**
 * For the first `steps` steps a straight line from `from` to the rate with which `schedule` takes over; then `schedule`. No steps: no
 * warm-up.
 */
export function warmup(
  steps: number,
  schedule: Schedule,
  { from = 0, meets = steps, placed = 'overlay' }: WarmupOptions = {},
): Schedule {
  if (!(steps >= 0 && meets >= 0))
    throw new RangeError(`warmup: expected steps and meets of at least 0, found ${steps} and ${meets}`);
  const begin = placed === 'before' ? steps : 0;
  const target = schedule(steps - begin);
  return step => {
    if (step >= steps) return schedule(step - begin);
    return meets === 0 ? target : from + ((target - from) * step) / meets;
  };
}

/**
 * Epochs gone by as the published code of HyRSM++ counts them: whole ones twice, floor(step / every) + step / every. From just under 2k + 1 it goes to
 * 2k + 2: a schedule of it stands still within every epoch but the first, and is over in half the time.
 */
export function doubledEpochs(step: number, every: number): number {
  requirePositive('doubledEpochs', 'every', every);
  return Math.floor(step / every) + step / every;
}

function requirePositive(what: string, option: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${what}: expected ${option} above 0, found ${value}`);
}

function requireAscending(what: string, steps: readonly number[]): void {
  if (!steps.every((step, i) => i === 0 || steps[i - 1] < step))
    throw new RangeError(`${what}: expected ascending steps, found [${steps}]`);
}
