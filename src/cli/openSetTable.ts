/** Open-set metrics of several files beside each other. */

import type { Convention, Openness, OpenSetReport, Thresholded } from '../openset/evaluate.ts';
import { rankingMetricNames } from '../openset/metrics/rankingMetrics.ts';
import { alignColumns } from './output.ts';

/** A file and what was measured of it, one report for each convention. */
export interface OpenSetResult {
  readonly file: string;
  /** The file's name in tables. */
  readonly name: string;
  /** Which uncertainty. */
  readonly score: string;
  readonly reports: readonly OpenSetReport[];
}

const headings = {
  sane: 'sane: every video once; AP = average precision; FPR95 = at the first threshold with TPR >= 0.95',
  published: 'published: repeated rows counted; AUPR = area under lines; FPR95 = at the ROC corner with TPR nearest to 0.95',
} as const;

/** In percent with three decimals, as the published tables. */
const percent = (fraction: number): string => (100 * fraction).toFixed(3);

/** Tables for people: one for each convention, then what the thresholds decide. */
export function openSetTables(results: readonly OpenSetResult[]): string[] {
  return results[0].reports.flatMap(({ convention }, r) => {
    const rows = results.map(result => ({ ...result, report: result.reports[r] }));
    const sane = convention === 'sane';
    const blocks = rows[0].report.ranking.blocks;
    const lines = [
      ...(r > 0 ? [''] : []),
      `${headings[convention]}${blocks ? `; mean over ${blocks.count} blocks of ${blocks.length} rows` : ''}`,
      ...alignColumns([
        ['file', 'known', 'unknown', 'ACC', 'AUROC', sane ? 'AP' : 'AUPR', 'FPR95'],
        ...rows.map(({ name, report: { counts, accuracy, ranking } }) => [
          name,
          String(counts.known),
          String(counts.unknown),
          percent(accuracy),
          percent(ranking.auroc),
          percent(sane ? ranking.averagePrecision : ranking.auprTrapezoid),
          percent(sane ? ranking.fpr95AtLeast : ranking.fpr95Nearest),
        ]),
      ]),
    ];
    const decided = rows.flatMap(({ name, report: { thresholded, openness } }) =>
      thresholded && openness ? [{ name, thresholded, openness }] : [],
    );
    if (decided.length === 0) return lines;
    return [...lines, '', ...thresholdTable(convention, decided)];
  });
}

interface Decided {
  readonly name: string;
  readonly thresholded: Thresholded;
  readonly openness: Openness;
}

/** What thresholds decide. The published tables rank by the decision, which leaves the sane convention only its AUROC. */
function thresholdTable(convention: Convention, decided: readonly Decided[]): string[] {
  const published = convention === 'published';
  const unknownClasses = [...new Set(decided.map(({ openness }) => openness.openness.length - 1))].join(' or ');
  const rules = [...new Set(decided.map(({ thresholded }) => thresholded.threshold.rule))].join(', ');
  return [
    `${convention}, thresholded (${rules}): AUROC${published ? ', AUPR, FPR95' : ''} of the decision; open maF1 over 0 to ${unknownClasses} unknown classes`,
    ...alignColumns([
      ['file', 'unknown if', 'known kept', 'unknown found', 'AUROC', ...(published ? ['AUPR', 'FPR95'] : []), 'open maF1'],
      ...decided.map(({ name, thresholded: { threshold, knownAccepted, unknownRejected, ranking }, openness }) => [
        name,
        `${threshold.on === 'confidence' ? 'confidence <' : '>'} ${Number(threshold.value.toPrecision(6))}`,
        percent(knownAccepted),
        percent(unknownRejected),
        percent(ranking.auroc),
        ...(published ? [percent(ranking.auprTrapezoid), percent(ranking.fpr95Nearest)] : []),
        percent(openness.openMacroF1),
      ]),
    ]),
  ];
}

/** Everything for machines, in fractions. */
export function openSetJson(protocol: string, results: readonly OpenSetResult[]): Record<string, unknown> {
  return {
    protocol,
    files: results.map(({ file, score, reports }) => ({
      file,
      score,
      conventions: Object.fromEntries(reports.map(({ convention, ...rest }) => [convention, rest])),
    })),
  };
}

/** One line for each file and convention, in fractions; empty where there is no threshold. */
export function openSetCsv(results: readonly OpenSetResult[]): string {
  const header = [
    ...['file', 'score', 'convention', 'known', 'unknown', 'accuracy', ...rankingMetricNames],
    ...['threshold', 'thresholdOn', 'knownAccepted', 'unknownRejected'],
    ...rankingMetricNames.map(name => `thresholded.${name}`),
    ...['openMacroF1', 'openDeviation', 'open.aurocAtThreshold'],
  ];
  const rows = results.flatMap(({ file, score, reports }) =>
    reports.map(({ convention, counts, accuracy, ranking, thresholded, openness }) => [
      ...[file, score, convention, counts.known, counts.unknown, accuracy],
      ...rankingMetricNames.map(name => ranking[name]),
      ...[thresholded?.threshold.value, thresholded?.threshold.on, thresholded?.knownAccepted, thresholded?.unknownRejected],
      ...rankingMetricNames.map(name => thresholded?.ranking[name]),
      ...[openness?.openMacroF1, openness?.openDeviation, openness?.aurocAtThreshold],
    ]),
  );
  const cell = (value: string | number | undefined): string => {
    const text = String(value ?? '');
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[header, ...rows].map(row => row.map(cell).join(',')).join('\n')}\n`;
}
