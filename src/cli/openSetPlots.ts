/** Pictures of open-set scores: what `eval openset --plots` writes. */

import type { OpenSetReport } from '../openset/evaluate.ts';
import { rocCurve } from '../openset/metrics/roc.ts';
import { sweep } from '../openset/metrics/sweep.ts';
import type { OpenSetScores } from '../openset/scoredSamples.ts';
import { histogramPlot } from '../report/histogramPlot.ts';
import { linePlot } from '../report/linePlot.ts';

/** One file's counted samples and its report. */
export interface Plotted {
  readonly name: string;
  readonly scores: OpenSetScores;
  readonly report: OpenSetReport;
}

/** SVG documents by file name: a histogram for each file, the ROC curves together, and the openness curves where there are thresholds. */
export function openSetPlots(plotted: readonly Plotted[]): Map<string, string> {
  const plots = new Map<string, string>();
  for (const { name, scores } of plotted) {
    const lists = [
      { name: `known (${scores.known.uncertainty.length})`, values: scores.known.uncertainty },
      { name: `unknown (${scores.unknown.uncertainty.length})`, values: scores.unknown.uncertainty },
    ];
    const svg = histogramPlot(lists, { title: name, xTitle: `uncertainty: ${scores.score}` });
    plots.set(`${name.replace(/[^\w.-]+/g, '-')}.histogram.svg`, svg);
  }
  const roc = plotted.map(({ name, scores, report }) => {
    const curve = rocCurve(sweep(scores.known.uncertainty, scores.unknown.uncertainty), true);
    return {
      name: `${name}: AUROC ${(100 * report.ranking.auroc).toFixed(2)} %`,
      x: curve.falsePositiveRate,
      y: curve.truePositiveRate,
    };
  });
  const unit = [0, 1] as const;
  plots.set(
    'roc.svg',
    linePlot(roc, {
      title: 'Unknown or known',
      xTitle: 'known samples called unknown',
      yTitle: 'unknown samples called unknown',
      xRange: unit,
      yRange: unit,
    }),
  );
  const openness = plotted.flatMap(({ name, report }) =>
    report.openness
      ? [
          {
            name: `${name}: ${(100 * report.openness.openMacroF1).toFixed(2)} %`,
            x: report.openness.openness,
            y: report.openness.macroF1,
          },
        ]
      : [],
  );
  if (openness.length > 0) {
    plots.set('openness.svg', linePlot(openness, { title: 'Open macro-F1', xTitle: 'openness', yTitle: 'macro-F1' }));
  }
  return plots;
}
