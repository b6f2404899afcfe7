/**
 * Motion learning from static images (MoSI): which pseudo-motions there are, and what they are called. Pure.
 * Source: Z. Huang et al., "Self-supervised motion learning from static images", CVPR 2021, section 3.1.
 */

/** Steps of the window from frame to frame, to the right and down, in units of the least speed. */
export type Motion = readonly [x: number, y: number];

export interface MosiOptions {
  /** Speeds of an axis, odd: 5 means -2 to 2. */
  readonly speeds: number;
  /** Along which axes windows move. */
  readonly axes: 'x' | 'y' | 'xy';
  /** Whether a motion is along one axis at a time (published), or any pair of speeds. */
  readonly decoupled: boolean;
  /** Whether standing still is one of the motions. */
  readonly still: boolean;
}

/**
 * All motions: along x from the least speed to the greatest, along y likewise, then none; or all pairs, x first.
 * @throws RangeError unless the number of speeds is odd and at least 3
 */
export function mosiMotions({ speeds, axes, decoupled, still }: MosiOptions): Motion[] {
  if (!Number.isInteger(speeds) || speeds < 3 || speeds % 2 === 0)
    throw new RangeError(`mosiMotions: expected an odd number of at least 3 speeds, found ${speeds}`);
  const most = (speeds - 1) / 2;
  const all = Array.from({ length: speeds }, (_, i) => i - most);
  const [xs, ys] = [axes === 'y' ? [0] : all, axes === 'x' ? [0] : all];
  const isStill = ([x, y]: Motion): boolean => x === 0 && y === 0;
  if (!decoupled) return xs.flatMap(x => ys.map((y): Motion => [x, y])).filter(motion => still || !isStill(motion));
  const moving = [...xs.map((x): Motion => [x, 0]), ...ys.map((y): Motion => [0, y])].filter(motion => !isStill(motion));
  return still ? [...moving, [0, 0]] : moving;
}

/** Labels of motions: one for each (`joint`), or one for the speed along each axis, from 0 for the least. */
export function mosiLabels(
  motions: readonly Motion[],
  speeds: number,
): { readonly joint: number[]; readonly x: number[]; readonly y: number[] } {
  const most = (speeds - 1) / 2;
  return { joint: motions.map((_, i) => i), x: motions.map(([x]) => x + most), y: motions.map(([, y]) => y + most) };
}
