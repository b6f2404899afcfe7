import {
  abs,
  add,
  cast,
  concat,
  div,
  full,
  greater,
  log,
  mean,
  mul,
  neg,
  pick,
  relu,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '../engine/index.ts';
import { type AcmNetOutput, type Branch, branches } from './acmNet.ts';

export interface AcmLossOptions {
  /** w: weight of the instance classification term. */
  readonly instanceWeight: number;
  /** lambda 1: attention guide. */
  readonly guideWeight: number;
  /** lambda 2: feature separation. */
  readonly featureWeight: number;
  /** lambda 3: sparse attention. */
  readonly sparseWeight: number;
  /** Margin m of the feature term. */
  readonly featureMargin: number;
  /** Added inside the logarithm. The published criteria of the two phases differ: {@link phase1LogEpsilon}. */
  readonly logEpsilon: number;
}

/** What of a network's output the loss reads. */
export type AcmLossInput = Pick<AcmNetOutput, 'classProbabilities' | 'features' | 'attention'> & {
  readonly cas: Pick<AcmNetOutput['cas'], 'instance'>;
};

/**
 * `logEpsilon` of the published phase 1 (the baseline criterion): the smallest float32 denormal, so a probability of 0 costs 103.28 and
 * has an infinite gradient.
 */
export const phase1LogEpsilon = 1e-45;

/**
 * The published settings of phase 2 (FTCL's criterion); phase 1 differs in {@link phase1LogEpsilon} alone. The instance weight of
 * ActivityNet is the one its authors meant (the FTCL scripts lose it).
 */
export const acmLossPresets = {
  thumos14: {
    instanceWeight: 1,
    guideWeight: 2e-3,
    featureWeight: 5e-5,
    sparseWeight: 2e-4,
    featureMargin: 50,
    logEpsilon: 1e-10,
  },
  activitynet: {
    instanceWeight: 5,
    guideWeight: 5e-3,
    featureWeight: 5e-5,
    sparseWeight: 0,
    featureMargin: 50,
    logEpsilon: 1e-10,
  },
} as const satisfies Record<string, AcmLossOptions>;

/** Unweighted pieces and the weighted sum, all scalars. */
export interface AcmLoss {
  readonly total: Tensor;
  /** Classification terms of the three branches. */
  readonly classification: Readonly<Record<Branch, Tensor>>;
  readonly guide: Tensor;
  readonly feature: Tensor;
  readonly sparse: Tensor;
}

/** Targets `[batch, C + 1]` of a branch from the multi-hot labels `[batch, C]`, each row divided by its sum. */
function targets(labels: Tensor, branch: Branch): Tensor {
  const column = (value: number) => full([labels.shape[0], 1], value, labels.dtype);
  const actions = branch === 'background' ? mul(labels, 0) : labels;
  const rows = concat([actions, column(branch === 'instance' ? 0 : 1)], 1);
  return div(rows, sum(rows, 1, true));
}

/** L_cls = mean over videos of - sum over classes of target log(p + epsilon). */
export function classificationLoss(probabilities: Tensor, target: Tensor, epsilon: number): Tensor {
  return neg(mean(sum(mul(target, log(add(probabilities, epsilon))), 1)));
}

/** L_guide = mean over videos of sum over t of |1 - q_t[background] - stopgrad(a_t)|: attention and instance CAS should agree. */
export function guideLoss(instanceCas: Tensor, instanceAttention: Tensor): Tensor {
  const actionness = sub(1, pick(instanceCas, -1, -1));
  return mean(sum(abs(sub(actionness, stopGradient(instanceAttention))), 1));
}

/** L2 norms of rows `[batch, F]` -> `[batch]`. A row of zeros has the gradient 0, as in PyTorch, where mathematics has none. */
function rowNorms(rows: Tensor): Tensor {
  const squared = sum(square(rows), 1);
  const isLong = cast(greater(squared, 0), rows.dtype);
  return mul(sqrt(add(squared, sub(1, isLong))), isLong);
}

/** L_feat = mean of (max(0, m - N_i + N_c) + max(0, m - N_c + N_b) + N_b)^2 with N the L2 norms of the branch features. */
export function featureLoss(features: Readonly<Record<Branch, Tensor>>, margin: number): Tensor {
  const [instance, context, background] = branches.map(branch => rowNorms(features[branch]));
  const first = relu(add(sub(context, instance), margin));
  const second = relu(add(sub(background, context), margin));
  return mean(square(add(add(first, second), background)));
}

/** L_sparse: mean over videos and over the instance and context branches of sum over t of a_b[t] (half of their sum). */
export function sparseLoss(attention: Tensor): Tensor {
  const [instance, context] = [pick(attention, -1, 0), pick(attention, -1, 1)];
  return mul(add(mean(sum(instance, 1)), mean(sum(context, 1))), 0.5);
}

/**
 * L_ACM = w L_inst + L_cont + L_back + l1 L_guide + l2 L_feat + l3 L_sparse.
 * @param labels multi-hot `[batch, C]`. Source: ACM-Net (2021), section 3.4.
 */
export function acmLoss(output: AcmLossInput, labels: Tensor, options: AcmLossOptions): AcmLoss {
  const term = (branch: Branch) =>
    classificationLoss(output.classProbabilities[branch], targets(labels, branch), options.logEpsilon);
  const classification = { instance: term('instance'), context: term('context'), background: term('background') };
  const guide = guideLoss(output.cas.instance, pick(output.attention, -1, 0));
  const feature = featureLoss(output.features, options.featureMargin);
  const sparse = sparseLoss(output.attention);
  const weighted = [
    mul(classification.instance, options.instanceWeight),
    classification.context,
    classification.background,
    mul(guide, options.guideWeight),
    mul(feature, options.featureWeight),
    mul(sparse, options.sparseWeight),
  ];
  return { total: weighted.reduce((a, b) => add(a, b)), classification, guide, feature, sparse };
}
