/** When a clip is none of the classes that a recogniser was taught. Pure. */
import { type ClassDistance, toClass } from './classDistance.ts';

/** Where the distances to a clip's own class come from. */
export type RejectionSource = 'leave-one-out' | 'views';

/** A threshold and what it lies between. */
export interface Rejection {
  /** A query whose nearest class is farther is none of them. */
  readonly threshold: number;
  /** Mean distance of a clip to its own class, itself left out; or of changed views of a clip to the clip. */
  readonly own: number;
  /** Mean distance of a support to the nearest of the other classes: what a query of an unknown class meets. */
  readonly other: number;
  readonly source: RejectionSource;
  /** Supports that `own` is of. */
  readonly clips: number;
}

/**
 * How far the threshold lies from `own` to `other`. With clips left out, half-way: where both errors are equal if both distances spread alike. Views of one
 * clip differ less than two clips of a class, so their `own` is too small, and the threshold has to lie nearer to the others.
 */
export const rejectionShare: Readonly<Record<RejectionSource, number>> = { 'leave-one-out': 0.5, views: 0.85 };

/** Distances between supports, and of views to the supports that they are of. */
export interface SupportDistances {
  /** Place of its class of each support. */
  readonly labels: readonly number[];
  readonly classDistance: ClassDistance;
  /** Of support i as a query to support j. */
  readonly between: (i: number, j: number) => number;
  /** Distances of the views of support i to it; needed where no class has two supports. */
  readonly views?: (i: number) => readonly number[];
}

/**
 * The threshold that supports give. Classes with two or more supports tell how far a clip is from its own class, each support from the others;
 * where there is no such class, views of the supports do.
 * @throws RangeError if there are fewer than two classes, or views are needed and there are none
 */
export function calibrateRejection({ labels, classDistance, between, views }: SupportDistances): Rejection {
  const members = new Map<number, number[]>();
  for (const [i, label] of labels.entries()) members.set(label, [...(members.get(label) ?? []), i]);
  if (members.size < 2) throw new RangeError(`a threshold needs at least 2 classes, found ${members.size}`);
  const toSupports = (i: number, supports: readonly number[]): number =>
    toClass(
      classDistance,
      supports.map(j => between(i, j)),
    );
  const other = mean(
    labels.map((label, i) =>
      Math.min(...[...members].flatMap(([of, supports]) => (of === label ? [] : [toSupports(i, supports)]))),
    ),
  );
  const leftOut = [...members.values()]
    .filter(supports => supports.length > 1)
    .flatMap(supports =>
      supports.map(i =>
        toSupports(
          i,
          supports.filter(j => j !== i),
        ),
      ),
    );
  const source = leftOut.length > 0 ? 'leave-one-out' : 'views';
  const owns = source === 'leave-one-out' ? leftOut : labels.flatMap((_, i) => (views ? [mean(views(i))] : []));
  if (owns.length === 0) throw new RangeError('a threshold from one clip a class needs views of the clips, found none');
  const own = mean(owns);
  return { threshold: own + rejectionShare[source] * (other - own), own, other, source, clips: owns.length };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
