/** What the cases that run the network or its losses share: parameters, options and the published names of the outputs. */

import {
  astype,
  type Compiled,
  type Concrete,
  compile,
  type NDArray,
  type Tensor,
  transpose,
  valueAuxAndGrad,
} from '../../../src/engine/index.ts';
import { type AcmLossInput, type AcmLossOptions, acmLossPresets } from '../../../src/localization/acmLoss.ts';
import { type AcmNetOptions, type AcmNetOutput, acmNetPresets } from '../../../src/localization/acmNet.ts';
import { type SequenceLossInput, type SequenceLossOptions, sequenceLossPreset } from '../../../src/localization/ftclLoss.ts';
import type { LossPieces } from '../../../src/localization/steps.ts';
import type { Params } from '../../../src/nn/index.ts';
import { type Compared, compareArray, type ReferenceCase } from '../case.ts';

/** Something that holds sessions. */
type Disposable = Pick<Compiled<readonly unknown[], unknown>, 'dispose'>;

/** Tensors by name. */
export type Named<T = Tensor> = Readonly<Record<string, T>>;

/** Arrays of a case whose key begins with `prefix`, under the rest of it, in the precision of {@link precisionOf}. */
export function arraysOf(c: ReferenceCase, prefix: string): Params {
  const dtype = precisionOf(c);
  const chosen = Object.entries(c.arrays).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(
    chosen.map(([key, array]) => [key.slice(prefix.length), array.dtype.startsWith('float') ? astype(array, dtype) : array]),
  );
}

/** The arithmetic a case is run in: float64 where all it holds is in float64 or its only bounds are for that, else float32. */
export function precisionOf(c: ReferenceCase): 'float32' | 'float64' {
  const types = new Set(Object.values(c.arrays).map(({ dtype }) => dtype));
  const boundedOnly = c.expected.some(key => c.tolerance(key).precision === 'float64');
  return boundedOnly || (types.has('float64') && !types.has('float32')) ? 'float64' : 'float32';
}

/** Compiles, runs once and frees. */
export async function once<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  ...args: Concrete<A> & readonly unknown[]
): Promise<Concrete<R>> {
  type Call = Disposable & ((...args: readonly unknown[]) => Promise<Concrete<R>>);
  return using(compile(fn) as unknown as Call, compiled => compiled(...args));
}

/** Frees a compiled function after its use. */
export async function using<C extends Disposable, R>(compiled: C, use: (compiled: C) => Promise<R>): Promise<R> {
  try {
    return await use(compiled);
  } finally {
    await compiled.dispose();
  }
}

/** Runs `f` and differentiates its loss over the arrays `at`; `given` are constants. */
export async function withGradients(
  f: (at: Named, given: Named) => { loss: Tensor; outputs: Named },
  at: Named<NDArray>,
  given: Named<NDArray> = {},
): Promise<{ outputs: Named<NDArray>; gradients: Named<NDArray> }> {
  const traced = (x: Named, constants: Named) => {
    const [, outputs, gradients] = valueAuxAndGrad((point: Named): [Tensor, Named] => {
      const { loss, outputs: all } = f(point, constants);
      return [loss, all];
    })(x);
    return { outputs, gradients };
  };
  return once(traced, at, given);
}

/** Every expected output `out.X` and gradient `grad.X` that was computed under the name X. */
export function comparePresent(c: ReferenceCase, outputs: Named<NDArray>, gradients: Named<NDArray> = {}): Compared[] {
  const pick = (prefix: string, from: Named<NDArray>) =>
    Object.entries(from)
      .filter(([name]) => `${prefix}${name}` in c.arrays)
      .map(([name, array]) => compareArray(c, `${prefix}${name}`, array));
  return [...pick('out.', outputs), ...pick('grad.', gradients)];
}

/** The same expected array, computed in another way: an additional row of the table, at the same bound. */
export function compareForm(c: ReferenceCase, key: string, form: string, got: NDArray): Compared {
  return { ...compareArray(c, key, got, c.tolerance(key)), key: `${key} (${form})` };
}

/** A hyper-parameter that is a number, under the first of its names that the case has. */
export function numberOf(c: ReferenceCase, names: readonly string[], otherwise: number): number {
  const value = names.map(name => c.hyperparameters[name]).find(found => found !== undefined);
  if (value !== undefined && typeof value !== 'number')
    throw new Error(`${c.name}: ${names[0]}: expected a number, found ${value}`);
  return value ?? otherwise;
}

const isActivityNet = (c: ReferenceCase): boolean => /activitynet|anet/i.test(String(c.hyperparameters.dataset ?? ''));

/** The network that a case's parameters are of, with its lengths and divisors. */
export function networkOptions(c: ReferenceCase, params: Named<NDArray>): AcmNetOptions {
  const inputDropout = 'feature_embedding.1.weight' in params;
  const preset: AcmNetOptions = inputDropout ? acmNetPresets.activitynet : acmNetPresets.thumos14;
  const divisor = (name: string, otherwise: number) => numberOf(c, [`${name}_topk_seg`], otherwise);
  return {
    featureDim: params['att_branch.weight'].shape[1],
    classes: params['snippet_cls.bias'].shape[0] - 1,
    dropout: numberOf(c, ['dropout'], preset.dropout),
    inputDropout,
    topKDivisors: {
      instance: divisor('ins', preset.topKDivisors.instance),
      context: divisor('con', preset.topKDivisors.context),
      background: divisor('bak', preset.topKDivisors.background),
    },
    lcsLength: numberOf(c, ['lcs_len'], preset.lcsLength),
    fsdLength: numberOf(c, ['fsd_len'], preset.fsdLength),
    projectionDim: params['feature_trans.bias'].shape[0],
  };
}

/** The criterion: of the two published ones, the baseline's adds the smallest float32 in the logarithm, FTCL's 1e-10. */
export function acmLossOptions(c: ReferenceCase, criterion: 'ACM' | 'FTCL'): AcmLossOptions {
  const preset: AcmLossOptions = isActivityNet(c) ? acmLossPresets.activitynet : acmLossPresets.thumos14;
  return {
    instanceWeight: preset.instanceWeight,
    guideWeight: numberOf(c, ['lamb1'], preset.guideWeight),
    featureWeight: numberOf(c, ['lamb2'], preset.featureWeight),
    sparseWeight: numberOf(c, ['lamb3'], preset.sparseWeight),
    featureMargin: numberOf(c, ['feat_margin'], preset.featureMargin),
    logEpsilon: numberOf(c, ['log_eps'], criterion === 'ACM' ? 1e-45 : 1e-10),
  };
}

/** The sequence terms as published, which is also without protection against rows of zeros. */
export function sequenceOptions(c: ReferenceCase): SequenceLossOptions {
  const { without_lcs, without_fsd } = c.hyperparameters;
  return {
    lcsWeight: without_lcs === true ? 0 : numberOf(c, ['lamb_lcs'], sequenceLossPreset.lcsWeight),
    fsdWeight: without_fsd === true ? 0 : numberOf(c, ['lamb_fsd'], sequenceLossPreset.fsdWeight),
    lcsThreshold: numberOf(c, ['threshold'], sequenceLossPreset.lcsThreshold),
    gamma: numberOf(c, ['gamma'], sequenceLossPreset.gamma),
    zeroRows: 'nan',
  };
}

/** The 14 published outputs and the intermediate values, by their published names; `suffix` tells the streams of a pair apart. */
export function publishedOutputs(output: AcmNetOutput, suffix = ''): Named {
  const channelsFirst = (x: Tensor) => transpose(x, [0, 2, 1]);
  const named = {
    act_inst_cls: output.classProbabilities.instance,
    act_cont_cls: output.classProbabilities.context,
    act_back_cls: output.classProbabilities.background,
    act_inst_feat: output.features.instance,
    act_cont_feat: output.features.context,
    act_back_feat: output.features.background,
    temp_att: output.attention,
    act_inst_cas: output.cas.instance,
    act_cas: output.cas.all,
    act_cont_cas: output.cas.context,
    act_back_cas: output.cas.background,
    lcs_candi: output.lcsCandidates,
    fsd_act_candi: output.fsdAction,
    fsd_bak_candi: output.fsdBackground,
    mid_embedding: channelsFirst(output.embedding),
    mid_att_logits: channelsFirst(output.attentionLogits),
    mid_cas_logits: output.classLogits,
  };
  return Object.fromEntries(Object.entries(named).map(([name, tensor]) => [`${name}${suffix}`, tensor]));
}

/** The inverse of {@link publishedOutputs} for what the criteria read; tensors that a case does not have stay undefined. */
export function lossInput(named: Named, suffix = ''): AcmLossInput & SequenceLossInput {
  const get = (name: string) => named[`${name}${suffix}`];
  return {
    classProbabilities: { instance: get('act_inst_cls'), context: get('act_cont_cls'), background: get('act_back_cls') },
    features: { instance: get('act_inst_feat'), context: get('act_cont_feat'), background: get('act_back_feat') },
    attention: get('temp_att'),
    cas: { instance: get('act_inst_cas') },
    lcsCandidates: get('lcs_candi'),
    fsdAction: get('fsd_act_candi'),
    fsdBackground: get('fsd_bak_candi'),
  };
}

/** Published names of the loss pieces. */
const publishedPieces: Record<keyof LossPieces, string> = {
  total: 'loss',
  acm: 'acm_loss',
  instance: 'act_inst_loss',
  context: 'act_cont_loss',
  background: 'act_back_loss',
  guide: 'guide_loss',
  feature: 'feat_loss',
  sparse: 'sparse_loss',
  lcs: 'lcs_loss',
  fsd: 'fsd_loss',
};

/** Loss pieces under their published names. */
export function publishedLosses<T>(pieces: LossPieces<T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(publishedPieces).map(([name, published]) => [published, pieces[name as keyof LossPieces]]),
  );
}
