/** What is said of a taught recogniser. */
import type { Rejection } from '../fewshot/rejection.ts';

/** A distance as people read it; rounding alone keeps that of a clip to itself from 0. */
export const distanceText = (distance: number): string => (Math.abs(distance) < 1e-6 ? '0' : distance.toPrecision(4));

/** Where the threshold comes from, in a line, and what is to be known of it. */
export function rejectionLines({ threshold, own, other, source, clips }: Rejection): string[] {
  const from =
    source === 'leave-one-out'
      ? `half-way from ${distanceText(own)} (${clips} clips to their own class, each left out of it) to ${distanceText(other)} (to the nearest other class)`
      : `from ${distanceText(own)} (changed views of the ${clips} clips to themselves) most of the way to ${distanceText(other)} (to the nearest other class)`;
  return [
    `none of these: farther than ${distanceText(threshold)}, ${from}`,
    ...(source === 'views'
      ? [
          'one clip a class: the threshold comes from augmented views, which differ less than two clips do; two or more clips a class make it surer',
        ]
      : []),
    ...(own >= other
      ? [
          'the clips are no nearer to their own class than to another: these features, or these clips, do not tell the classes apart',
        ]
      : []),
  ];
}
