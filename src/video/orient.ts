/** Turning pictures as a video's display matrix says. Pure. */

/** Where a stored pixel (x, y) is shown: x' = a x + c y, y' = b x + d y, up to a shift; every entry is -1, 0 or 1. */
export interface Orientation {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Shown as stored. */
export const upright: Orientation = { a: 1, b: 0, c: 0, d: 1 };

/**
 * The orientation of a display matrix: nine 32-bit numbers in rows `[a, b, u], [c, d, v], [x, y, w]`, the first two columns in 16.16 fixed
 * point (ISO/IEC 14496-12, 6.2.2).
 * @returns undefined for a matrix that is no quarter turn or reflection
 */
export function orientationOf(matrix: ArrayLike<number>): Orientation | undefined {
  const [a, b, c, d] = [matrix[0], matrix[1], matrix[3], matrix[4]];
  const scale = Math.max(Math.abs(a), Math.abs(b));
  const unit = (value: number): number => Math.round((100 * value) / scale) / 100;
  const found = { a: unit(a), b: unit(b), c: unit(c), d: unit(d) };
  const isStraight = Math.abs(found.a * found.d) === 1 && found.b === 0 && found.c === 0;
  const isTurned = Math.abs(found.b * found.c) === 1 && found.a === 0 && found.d === 0;
  return isStraight || isTurned ? found : undefined;
}

/** True if width and height change places. */
export function swapsSides({ a }: Orientation): boolean {
  return a === 0;
}

/** Whether the picture is shown as in a mirror. */
export function isMirrored({ a, b, c, d }: Orientation): boolean {
  return a * d - b * c < 0;
}

/** Clockwise turn in degrees: 0, 90, 180 or 270; a picture that is mirrored (left to right) is so before it is turned. */
export function rotationOf(orientation: Orientation): number {
  const sign = isMirrored(orientation) ? -1 : 1;
  const turn = (Math.atan2(sign * orientation.b, sign * orientation.a) * 180) / Math.PI;
  return (Math.round(turn) + 360) % 360;
}

/**
 * Writes a picture `[height, width, 3]` (rows `stride` bytes apart) as it is to be shown.
 * @param to `[height, width, 3]`, or `[width, height, 3]` if the orientation swaps sides
 */
export function orient(
  from: Uint8Array,
  stride: number,
  [height, width]: readonly [number, number],
  { a, b, c, d }: Orientation,
  to: Uint8Array,
): void {
  if (a === 1 && d === 1) {
    for (let y = 0; y < height; y++) to.set(from.subarray(y * stride, y * stride + 3 * width), 3 * y * width);
    return;
  }
  const shownWidth = a === 0 ? height : width;
  // The place of the stored corner (0, 0), and the steps to its right and lower neighbours.
  const left = a < 0 ? width - 1 : c < 0 ? height - 1 : 0;
  const top = b < 0 ? width - 1 : d < 0 ? height - 1 : 0;
  const right = 3 * (b * shownWidth + a);
  const down = 3 * (d * shownWidth + c);
  for (let y = 0; y < height; y++) {
    let at = 3 * (top * shownWidth + left) + y * down;
    for (let x = y * stride, end = x + 3 * width; x < end; x += 3, at += right) {
      to[at] = from[x];
      to[at + 1] = from[x + 1];
      to[at + 2] = from[x + 2];
    }
  }
}
