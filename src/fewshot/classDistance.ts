/** How far a query is from a class of several supports. Pure. */

/** `mean` over the supports, as the published OTAM and 1-shot HyRSM++ heads have it; or to the `nearest` of them. */
export const classDistances = ['nearest', 'mean'] as const;
export type ClassDistance = (typeof classDistances)[number];

/** The distance to a class from those to its supports, of which there is at least one. */
export function toClass(kind: ClassDistance, distances: readonly number[]): number {
  if (kind === 'nearest') return Math.min(...distances);
  return distances.reduce((sum, each) => sum + each, 0) / distances.length;
}
