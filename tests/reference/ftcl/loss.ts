/** Reference cases `loss__*`: the criteria from the network's outputs, and from features through the network. */

import { inBatchPairs, type Pair, sampleNegatives } from '../../../src/data/pairs.ts';
import { add, fromNumbers, type NDArray, type Tensor } from '../../../src/engine/index.ts';
import { key } from '../../../src/engine/random.ts';
import { acmNet } from '../../../src/localization/acmNet.ts';
import {
  acmInBatchLoss,
  acmOnlyLoss,
  type FtclLoss,
  ftclPairLoss,
  inBatchWeights,
  pairTerms,
} from '../../../src/localization/ftclLoss.ts';
import { lossPieces } from '../../../src/localization/steps.ts';
import { type Adapter, type Compared, compareStructure, compareValues, isRecord, type ReferenceCase } from '../case.ts';
import {
  acmLossOptions,
  arraysOf,
  comparePresent,
  lossInput,
  type Named,
  networkOptions,
  publishedLosses,
  sequenceOptions,
  withGradients,
} from './network.ts';
import { type RecordedPairs, trainingOfCase, weightsOf } from './steps.ts';

const has = (c: ReferenceCase, ...keys: readonly string[]): boolean => keys.every(name => name in c.arrays);
const loss = (matches: (c: ReferenceCase) => boolean, run: Adapter['run']): Adapter => ({
  matches: c => c.kind === 'loss' && matches(c),
  run,
});

function recordedPairs(c: ReferenceCase): RecordedPairs {
  const { positive_pairs, sampled_negative_pairs } = c.json as { positive_pairs: Pair[]; sampled_negative_pairs: Pair[] };
  return { positive: positive_pairs, negative: sampled_negative_pairs };
}

/** Runs a criterion over `in.*`; all of them but the labels are differentiated. */
async function criterion(
  c: ReferenceCase,
  given: Named<NDArray>,
  f: (at: Named, constants: Named) => FtclLoss,
  at = Object.fromEntries(Object.entries(arraysOf(c, 'in.')).filter(([name]) => !/label/.test(name))),
): Promise<Compared[]> {
  const { outputs, gradients } = await withGradients(
    (point, constants) => {
      const result = f(point, constants);
      return { loss: result.total, outputs: publishedLosses(lossPieces(result)) };
    },
    at,
    given,
  );
  return comparePresent(c, outputs, gradients);
}

/** The ACM objective alone, of either criterion. */
const acmObjective = loss(
  c => has(c, 'in.vid_label', 'in.act_inst_cls') && !has(c, 'out.fsd_loss'),
  c => {
    const options = acmLossOptions(c, c.hyperparameters.criterion === 'FTCL' ? 'FTCL' : 'ACM');
    return criterion(c, { label: arraysOf(c, 'in.').vid_label }, (at, { label }) => acmOnlyLoss(lossInput(at), label, options));
  },
);

/** The two terms of phase 2 without their weights; the gradients are those of their sum. */
const unweightedPairTerms = loss(
  c => has(c, 'in.pair_label', 'in.fsd_act_0', 'in.lcs_0'),
  async c => {
    const { pair_label: same, ...inputs } = arraysOf(c, 'in.');
    const options = { ...sequenceOptions(c), lcsWeight: 1, fsdWeight: 1 };
    const stream = (named: Named, i: number) => ({
      lcsCandidates: named[`lcs_${i}`],
      fsdAction: named[`fsd_act_${i}`],
      fsdBackground: named[`fsd_bak_${i}`],
    });
    const { outputs, gradients } = await withGradients(
      (at, given) => {
        const { lcs, fsd } = pairTerms([stream(at, 0), stream(at, 1)], given.same, options);
        if (!lcs || !fsd) throw new Error('a term with weight 1 is missing');
        return { loss: add(lcs, fsd), outputs: { lcs_loss: lcs, fsd_loss: fsd } };
      },
      inputs,
      { same },
    );
    return comparePresent(c, outputs, gradients);
  },
);

/** The FTCL criterion of two streams, or of one. */
const ftclCriterion = loss(
  c => has(c, 'in.vid_label_0', 'in.act_inst_cls_0'),
  c => {
    const inputs = arraysOf(c, 'in.');
    const acm = acmLossOptions(c, 'FTCL');
    if (!has(c, 'in.vid_label_1'))
      return criterion(c, { label: inputs.vid_label_0 }, (at, { label }) => acmOnlyLoss(lossInput(at, '_0'), label, acm));
    const labels = { first: inputs.vid_label_0, second: inputs.vid_label_1 };
    return criterion(c, labels, (at, { first, second }) =>
      ftclPairLoss([lossInput(at, '_0'), lossInput(at, '_1')], [first, second], acm, sequenceOptions(c)),
    );
  },
);

/** The baseline criterion in training, with the pairs of the batch. */
const inBatchCriterion = loss(
  c => has(c, 'in.vid_label', 'in.lcs_candi', 'out.fsd_loss'),
  c => {
    const label = arraysOf(c, 'in.').vid_label;
    const weights = weightsOf(label, recordedPairs(c));
    return criterion(c, { label, ...weights }, (at, { label: labels, positive, negative }) =>
      acmInBatchLoss(lossInput(at), labels, { positive, negative }, acmLossOptions(c, 'ACM'), sequenceOptions(c)),
    );
  },
);

/** A batch on which the published sampling of negatives fails: here as many as there are. */
const fewNegatives = loss(
  c => isRecord(c.json) && 'upstream_error' in c.json && Array.isArray(c.json.labels),
  c => {
    const { labels } = c.json as { labels: number[][] };
    const pairs = inBatchPairs(labels);
    const drawn = sampleNegatives(pairs, key(0));
    const { positive, negative } = inBatchWeights(labels.length, pairs.positive, drawn);
    const total = (weights: NDArray<'float32'>) => weights.data.reduce((a, b) => a + b, 0);
    return [
      compareValues(c, 'negatives drawn', drawn.length, Math.min(pairs.positive.length, pairs.negativeCandidates.length)),
      compareStructure('pairs of one class', pairs.positive, sharedSingles(labels)),
      compareValues(c, 'weights of the positive pairs', Math.round(total(positive)), pairs.positive.length > 0 ? 1 : 0),
      compareValues(c, 'weights of the negative pairs', Math.round(total(negative)), drawn.length > 0 ? 1 : 0),
    ];
  },
);

/** Pairs of equal one-hot rows. */
function sharedSingles(labels: readonly (readonly number[])[]): number[][] {
  const single = (row: readonly number[]) => row.reduce((a, b) => a + b, 0) === 1;
  return labels.flatMap((a, i) => labels.flatMap((b, j) => (i < j && single(a) && String(a) === String(b) ? [[i, j]] : [])));
}

/** From features through the network to the loss: gradients of features and parameters, and the same by the training step. */
const networkGradients = loss(
  c => has(c, 'param.att_branch.weight') && (has(c, 'in.features') || has(c, 'in.features_1', 'in.features_2')),
  async c => {
    const inputs = arraysOf(c, 'in.');
    const params = arraysOf(c, 'param.');
    const network = networkOptions(c, params);
    const isPair = has(c, 'in.features_2');
    const pairs = isPair ? undefined : recordedPairs(c);
    const acm = acmLossOptions(c, isPair ? 'FTCL' : 'ACM');
    const features = Object.fromEntries(Object.entries(inputs).filter(([name]) => name.startsWith('features')));
    const prefixed = Object.fromEntries(Object.entries(params).map(([name, array]) => [`param.${name}`, array]));
    const unprefixed = (at: Named): Named =>
      Object.fromEntries(Object.entries(at).flatMap(([name, t]) => (name.startsWith('param.') ? [[name.slice(6), t]] : [])));
    const output = (at: Named, x: Tensor) => acmNet(unprefixed(at), x, network);

    const whole = isPair
      ? criterion(
          c,
          { first: inputs.label_1, second: inputs.label_2 },
          (at, { first, second }) =>
            ftclPairLoss([output(at, at.features_1), output(at, at.features_2)], [first, second], acm, sequenceOptions(c)),
          { ...features, ...prefixed },
        )
      : criterion(
          c,
          { label: inputs.label, ...weightsOf(inputs.label, pairs ?? { positive: [], negative: [] }) },
          (at, { label, positive, negative }) =>
            acmInBatchLoss(output(at, at.features), label, { positive, negative }, acm, sequenceOptions(c)),
          { ...features, ...prefixed },
        );
    return [...(await whole), ...(await byTrainingStep(c, pairs))];
  },
);

/** The same loss and the parameters' gradients by the step that training runs. */
async function byTrainingStep(c: ReferenceCase, pairs?: RecordedPairs): Promise<Compared[]> {
  const params = arraysOf(c, 'param.');
  const inputs = arraysOf(c, 'in.');
  const { epoch, dispose } = trainingOfCase(c, params);
  try {
    const { prepare, step } = epoch([inputs], pairs && [pairs]);
    const { pieces, gradients } = await step(params, await prepare(0));
    const named = Object.fromEntries(
      Object.entries(gradients).flatMap(([name, gradient]) => (gradient ? [[`param.${name}`, gradient]] : [])),
    );
    return comparePresent(c, scalars(publishedLosses(pieces)), named).map(compared => ({
      ...compared,
      key: `${compared.key} (step)`,
      tolerance: c.tolerance(compared.key),
    }));
  } finally {
    await dispose();
  }
}

const scalars = (values: Readonly<Record<string, number>>): Named<NDArray> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fromNumbers([value], [], 'float64')]));

/** Adapters of the `loss` cases. */
export const adapters: Adapter[] = [
  networkGradients,
  unweightedPairTerms,
  ftclCriterion,
  inBatchCriterion,
  acmObjective,
  fewNegatives,
];
