/** Reference cases of open-set metrics: `osr_metrics`, `threshold`, `mit_protocol`, `open_macro_f1`, `gather_order`. */

import { fromNumbers } from '../../../src/engine/ndarray.ts';
import { gatherOrder } from '../../../src/openset/gatherOrder.ts';
import { mitBlocks } from '../../../src/openset/metrics/mitBlocks.ts';
import { mt19937 } from '../../../src/openset/metrics/mt19937.ts';
import { openMacroF1 } from '../../../src/openset/metrics/openMacroF1.ts';
import { rankingMetrics } from '../../../src/openset/metrics/rankingMetrics.ts';
import { rocCurve } from '../../../src/openset/metrics/roc.ts';
import { sweep } from '../../../src/openset/metrics/sweep.ts';
import { confidenceThreshold, uncertaintyThreshold } from '../../../src/openset/metrics/threshold.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';

const numbers = (c: ReferenceCase, key: string): number[] => Array.from(c.arrays[key].data, Number);
const scalar = (c: ReferenceCase, key: string, value: number) => compareArray(c, key, fromNumbers([value], [], 'float64'));
const list = (c: ReferenceCase, key: string, values: ArrayLike<number>) =>
  compareArray(c, key, fromNumbers(Array.from(values), c.arrays[key].shape, 'float64'));
const kind = (name: string, run: Adapter['run']): Adapter => ({ matches: c => c.kind === name, run });

const ranking = kind('osr_metrics', c => {
  const [known, unknown] = [numbers(c, 'in_ind'), numbers(c, 'in_ood')];
  const metrics = rankingMetrics(known, unknown);
  const curve = rocCurve(sweep(known, unknown), true);
  return [
    scalar(c, 'out_auroc', metrics.auroc),
    scalar(c, 'out_aupr_trapezoid', metrics.auprTrapezoid),
    scalar(c, 'out_average_precision', metrics.averagePrecision),
    scalar(c, 'out_fpr95_nearest', metrics.fpr95Nearest),
    scalar(c, 'out_fpr95_nearest_no_drop', metrics.fpr95NearestAllPoints),
    scalar(c, 'out_fpr95_first_above', metrics.fpr95FirstAbove),
    scalar(c, 'out_fpr95_first_at_least_all_points', metrics.fpr95AtLeast),
    list(c, 'out_roc_fpr', curve.falsePositiveRate),
    list(c, 'out_roc_tpr', curve.truePositiveRate),
  ];
});

const thresholds = kind('threshold', c => [
  scalar(c, 'out_threshold_85', uncertaintyThreshold(numbers(c, 'in_uncertainty'), 0.85)),
  scalar(c, 'out_threshold_95', uncertaintyThreshold(numbers(c, 'in_uncertainty'), 0.95)),
  scalar(c, 'out_rpl_conf_threshold_95', confidenceThreshold(numbers(c, 'in_confidence'), 0.95)),
]);

const blocks = kind('mit_protocol', c => {
  const { mean } = mitBlocks(numbers(c, 'in_scores'), numbers(c, 'in_labels'), {
    knownRows: Number(c.hyperparameters.known_rows),
    blocks: Number(c.hyperparameters.blocks),
  });
  return [
    scalar(c, 'out_auroc', mean.auroc),
    scalar(c, 'out_aupr', mean.auprTrapezoid),
    scalar(c, 'out_fpr95', mean.fpr95Nearest),
  ];
});

const openness = kind('open_macro_f1', c => {
  const side = (name: string) => ({
    label: numbers(c, `in_${name}_label`),
    prediction: numbers(c, `in_${name}_pred`),
    uncertainty: numbers(c, `in_${name}_unc`),
  });
  const { K, threshold, seed, draws_per_point, unknown_classes } = c.hyperparameters as Record<string, number>;
  const result = openMacroF1(side('ind'), side('ood'), {
    knownClasses: K,
    threshold,
    draws: draws_per_point,
    generator: mt19937(seed),
    float32: true,
  });
  // The recorded draws are an input of the case: ours come from our own generator and must be the same.
  const generator = mt19937(seed);
  const drawn = Array.from({ length: unknown_classes * draws_per_point }, (_, i) => {
    const n = Math.floor(i / draws_per_point) + 1;
    const classes = generator.permutation(unknown_classes).subarray(0, n);
    return Array.from({ length: unknown_classes }, (_, k) => (k < n ? classes[k] : -1));
  });
  return [
    list(c, 'in_class_draws', drawn.flat()),
    list(c, 'out_openness', result.openness),
    list(c, 'out_macro_f1', result.macroF1),
    list(c, 'out_macro_f1_draws', result.perDraw.flat()),
    scalar(c, 'out_open_maf1', result.openMacroF1),
    scalar(c, 'out_open_maf1_std', result.openDeviation),
  ];
});

const order = kind('gather_order', c => {
  const { N, ranks, batch_per_rank } = c.hyperparameters as Record<string, number>;
  return [list(c, 'out_dataset_index', gatherOrder(N, { ranks, batch: batch_per_rank }).index)];
});

/** Adapters of the metrics' cases. */
export const adapters: Adapter[] = [ranking, thresholds, blocks, openness, order];
