/** The rows of a score file that a protocol counts. */

import { type GatherLayout, gatherOrder, publishedLayouts } from './gatherOrder.ts';
import type { Protocol } from './protocols.ts';
import { type OpenSetScores, type ScoredSamples, selectRows } from './scoredSamples.ts';

/**
 * What becomes of rows that are there twice because several processes tested together: `remove` recognises the layouts of the
 * published files, a layout says which one it is, `keep` leaves them in.
 */
export type Repeated = 'remove' | 'keep' | GatherLayout;

/**
 * The scores without the rows that do not count.
 * @param overlapping remove the unknown classes that are known ones under another name
 * @throws RangeError if a side has more rows than the protocol has videos, in no layout that explains it, or nothing is left
 */
export function selectSamples(
  scores: OpenSetScores,
  protocol: Protocol,
  { repeated, overlapping }: { readonly repeated: Repeated; readonly overlapping: boolean },
): OpenSetScores {
  const known = withoutRepeated(scores.known, protocol.knownVideos, repeated, 'known');
  const all = withoutRepeated(scores.unknown, protocol.unknownVideos, repeated, 'unknown');
  const unknown = overlapping ? selectRows(all, row => !protocol.overlapping.includes(all.label[row])) : all;
  if (unknown.label.length === 0) throw new RangeError('no unknown samples are left after removing the overlapping classes');
  return { ...scores, known, unknown };
}

function withoutRepeated(samples: ScoredSamples, videos: number | undefined, repeated: Repeated, side: string): ScoredSamples {
  const rows = samples.label.length;
  if (repeated === 'keep' || videos === undefined || rows <= videos) return samples;
  const layouts = repeated === 'remove' ? publishedLayouts : [repeated];
  for (const layout of layouts) {
    const order = gatherOrder(videos, layout);
    if (order.index.length === rows && repetitionsAgree(samples, order))
      return selectRows(samples, row => order.repeated[row] === 0);
  }
  const tried = layouts.map(({ ranks, batch }) => `${ranks}x${batch}`).join(', ');
  throw new RangeError(
    `${rows} ${side} rows for ${videos} videos, and no layout explains the rest (tried ${tried} processes x batch): give --gather RxB, or --keep-repeated`,
  );
}

/** Whether repeated rows have the label of the row they repeat. */
function repetitionsAgree({ label }: ScoredSamples, { index, repeated }: ReturnType<typeof gatherOrder>): boolean {
  const first = new Map<number, number>();
  for (let row = 0; row < index.length; row++) if (!repeated[row]) first.set(index[row], row);
  return index.every((place, row) => !repeated[row] || label[row] === label[first.get(place)!]);
}
