/**
 * Reference cases of open-set scores: `mahalanobis`, `mahalanobis_per_class`, `prototype_score`, `weibull_tail`, `openmax`,
 * `stochastic_uncertainty`.
 */

import { fromNumbers, type NDArray, ndarray } from '../../../src/engine/ndarray.ts';
import { entropyUncertainty, maxSoftmaxUncertainty, predictedClasses, softmax } from '../../../src/openset/scores/logitScores.ts';
import { fitMahalanobis, mahalanobisScores } from '../../../src/openset/scores/mahalanobis.ts';
import { fitOpenMax, openMax } from '../../../src/openset/scores/openMax.ts';
import { cosineUncertainty, prototypeSimilarity } from '../../../src/openset/scores/prototypeScores.ts';
import { stochasticScores } from '../../../src/openset/scores/stochasticScores.ts';
import { fitWeibullTail, weibullTailScore } from '../../../src/openset/scores/weibullTail.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';

const numbers = (c: ReferenceCase, key: string): number[] => Array.from(c.arrays[key].data, Number);
const list = (c: ReferenceCase, key: string, values: ArrayLike<number>) =>
  compareArray(c, key, fromNumbers(Array.from(values), c.arrays[key].shape, 'float64'), tolerance(c, key));
const kind = (name: string, run: Adapter['run']): Adapter => ({ matches: c => c.kind === name, run });

/** Scores are computed in float64; where a case bounds only some quantities, the others get the bound of the first that is given. */
function tolerance(c: ReferenceCase, key: string) {
  try {
    return c.tolerance(key, 'float64');
  } catch {
    const entry = c.raw.tolerance as Record<string, unknown>;
    return c.tolerance(Object.keys(entry)[0], 'float64');
  }
}

const shared = kind('mahalanobis', c => {
  const model = fitMahalanobis(c.arrays.in_train);
  return [
    list(c, 'out_d_test', mahalanobisScores(model, c.arrays.in_test).distance),
    list(c, 'out_d_ood', mahalanobisScores(model, c.arrays.in_ood).distance),
    list(c, 'out_mean', model.mean),
    list(c, 'out_std', model.deviation),
    list(c, 'out_cov', model.gaussians[0].covariance),
  ];
});

const perClass = kind('mahalanobis_per_class', c => {
  const model = fitMahalanobis(c.arrays.in_train, numbers(c, 'in_train_label'));
  return ['test', 'ood'].flatMap(part => {
    const { distance, nearest } = mahalanobisScores(model, c.arrays[`in_${part}`]);
    return [list(c, `out_d_${part}`, distance), list(c, `out_pred_${part}`, nearest!)];
  });
});

const prototypes = kind('prototype_score', c => {
  const temperature = Number(c.hyperparameters.temperature);
  const of = (part: string) => prototypeSimilarity(c.arrays[`in_${part}`], c.arrays.in_prototypes);
  return [
    list(c, 'out_u_ind', maxSoftmaxUncertainty(of('ind'), temperature)),
    list(c, 'out_u_ood', maxSoftmaxUncertainty(of('ood'), temperature)),
    list(c, 'out_pred_ind', predictedClasses(of('ind'))),
    list(c, 'out_pred_ood', predictedClasses(of('ood'))),
    list(c, 'out_one_minus_max_sim_ind', cosineUncertainty(c.arrays.in_ind, c.arrays.in_prototypes)),
    list(c, 'out_entropy_ind', entropyUncertainty(of('ind'), temperature)),
  ];
});

const weibull = kind('weibull_tail', c => {
  const tail = fitWeibullTail(numbers(c, 'in_tail'));
  return [
    list(c, 'out_scale', [tail.scale]),
    list(c, 'out_shape', [tail.shape]),
    list(c, 'out_small', [tail.smallest]),
    list(c, 'out_log_scale_over_translate', [tail.logScale]),
    list(
      c,
      'out_w_score',
      numbers(c, 'in_query').map(x => weibullTailScore(tail, x)),
    ),
  ];
});

const openmax = kind('openmax', c => {
  const { K, tail_size, alpha_rank } = c.hyperparameters as Record<string, number>;
  const model = fitOpenMax(c.arrays.in_train_features, numbers(c, 'in_train_label'), { classes: K, tail: tail_size });
  const scores = c.arrays.in_scores;
  const probabilities = Array.from({ length: scores.shape[0] }, (_, i) =>
    Array.from(softmax(numbers(c, 'in_scores').slice(i * K, (i + 1) * K))),
  );
  return [
    list(
      c,
      'out_mav',
      model.means.flatMap(mean => Array.from(mean)),
    ),
    list(
      c,
      'out_distances',
      model.distances.flatMap(far => Array.from(far)),
    ),
    list(
      c,
      'out_weibull_shape',
      model.tails.map(tail => tail.shape),
    ),
    list(
      c,
      'out_weibull_scale',
      model.tails.map(tail => tail.scale),
    ),
    list(c, 'out_openmax', openMax(model, c.arrays.in_features, scores, { alpha: alpha_rank }).data),
    list(c, 'out_softmax', probabilities.flat()),
  ];
});

const stochastic = kind('stochastic_uncertainty', c => {
  const scores = stochasticScores(c.arrays.in_probs);
  return [
    list(c, 'out_bald', scores.mutualInformation),
    list(c, 'out_entropy', scores.entropy),
    list(
      c,
      'out_mean',
      scores.mean.flatMap(row => Array.from(row)),
    ),
    list(c, 'out_pred', scores.prediction),
    list(c, 'out_conf', scores.confidence),
    list(c, 'out_dropout_variance_of_predicted', scores.predictedVariance),
    list(c, 'out_bnn_aleatoric', scores.aleatoric),
    list(c, 'out_bnn_epistemic', scores.epistemic),
    list(c, 'out_bnn_pred_logit', predictedClasses(meanOverPasses(c.arrays.in_logits))),
  ];
});

/** Means [N, K] of logits [N, K, T]. */
function meanOverPasses({ shape: [n, k, t], data }: NDArray): NDArray {
  const mean = (i: number) => (Array.from(data.subarray(i * t, (i + 1) * t), Number) as number[]).reduce((a, b) => a + b, 0) / t;
  return ndarray(
    'float64',
    [n, k],
    Float64Array.from({ length: n * k }, (_, i) => mean(i)),
  );
}

/** Adapters of the scores' cases. */
export const adapters: Adapter[] = [shared, perClass, prototypes, weibull, openmax, stochastic];
