/** Matching metrics beside each other, judged on the same episodes. */
import type { ClassDistance } from '../fewshot/classDistance.ts';
import { type JudgedMetric, pairedDifference } from '../fewshot/judgeMetrics.ts';
import { matchingMetrics } from '../fewshot/matching/metrics.ts';
import { alignColumns, percent } from './output.ts';
import { countText } from './units.ts';

/** What was judged, and how it went. */
export interface FewshotReport {
  readonly features: string;
  /** How episodes were drawn, or the list they come from. */
  readonly episodes:
    | { readonly way: number; readonly shot: number; readonly queries: number; readonly seed: number }
    | { readonly list: string };
  readonly count: number;
  readonly frames: number;
  readonly classDistance: ClassDistance;
  readonly classes: readonly string[];
  readonly clips: number;
  /** Clips that have fewer rows of features than `frames`. */
  readonly shorterClips: number;
  readonly judged: readonly JudgedMetric[];
  readonly perClass: boolean;
}

/** Tables for people, in percent. */
export function fewshotLines(report: FewshotReport): string[] {
  const { features, episodes, count, frames, classDistance, classes, clips, shorterClips, judged, perClass } = report;
  const plural = (n: number, one: string, more: string): string => `${n} ${n === 1 ? one : more}`;
  const form =
    'list' in episodes
      ? ` of ${episodes.list}`
      : `: ${episodes.way} classes with ${plural(episodes.shot, 'shot', 'shots')} and ${plural(episodes.queries, 'query', 'queries')} each, seed ${episodes.seed}`;
  const ordered = judged.some(({ metric }) => matchingMetrics[metric].ordered);
  const [first] = judged;
  const heading = ['metric', 'accuracy', '95 %', ...(judged.length > 1 ? [`against ${first.metric}`] : [])];
  const rows = judged.map(each => {
    const { mean, halfWidth } = pairedDifference(each, first);
    const difference = each === first ? '' : `${mean < 0 ? '' : '+'}${percent(mean)} ± ${percent(halfWidth)}`;
    return [
      each.metric,
      percent(each.accuracy.mean),
      `± ${percent(each.accuracy.halfWidth)}`,
      ...(judged.length > 1 ? [difference] : []),
    ];
  });
  const supports = classDistance === 'mean' ? 'mean distance to the clips of a class' : 'distance to the nearest clip of a class';
  return [
    `${features}: ${plural(classes.length, 'class', 'classes')}, ${countText(clips)} clips, ${plural(frames, 'frame', 'frames')} each`,
    `${countText(count)} episodes${form}; percent, with 95 % intervals over episodes; ${supports}`,
    ...(ordered && shorterClips > 0
      ? [
          `${countText(shorterClips)} of the clips have fewer rows than that and repeat them: what little order they have is all that metrics of order can use`,
        ]
      : []),
    '',
    ...alignColumns([heading, ...rows]),
    ...(perClass ? ['', ...classTable(report)] : []),
  ];
}

function classTable({ judged, classes }: FewshotReport): string[] {
  const labels = [...judged[0].classes.keys()];
  return alignColumns([
    ['class', 'queries', ...judged.map(({ metric }) => metric)],
    ...labels.map(label => [
      classes[label],
      countText(judged[0].classes.get(label)!.queries),
      ...judged.map(each => {
        const { queries, correct } = each.classes.get(label)!;
        return percent(correct / queries);
      }),
    ]),
  ]);
}

/** Everything for machines, in fractions. */
export function fewshotJson(report: FewshotReport): Record<string, unknown> {
  const { features, episodes, count, frames, classDistance, classes, clips, shorterClips, judged, perClass } = report;
  return {
    features,
    ...episodes,
    episodes: count,
    frames,
    classDistance,
    classes: classes.length,
    clips,
    shorterClips,
    metrics: judged.map(each => {
      const { mean, halfWidth } = pairedDifference(each, judged[0]);
      return {
        metric: each.metric,
        accuracy: each.accuracy.mean,
        interval: each.accuracy.halfWidth,
        ...(each !== judged[0] && { against: { metric: judged[0].metric, difference: mean, interval: halfWidth } }),
        ...(perClass && {
          perClass: [...each.classes].map(([label, { queries, correct }]) => ({
            class: classes[label],
            queries,
            accuracy: correct / queries,
          })),
        }),
      };
    }),
  };
}
