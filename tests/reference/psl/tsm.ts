/** Reference cases `tsm_model` and `train_steps`: narrow TSM networks with the PSL head and loss, in float64. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TsmOptions, tsm } from '../../../src/backbones/tsm.ts';
import { parseNpz } from '../../../src/data/formats/npz.ts';
import {
  astype,
  type Compiled,
  compile,
  matmul,
  mul,
  type NDArray,
  ndarray,
  reshape,
  softmax,
  type Tensor,
  valueAuxAndGrad,
} from '../../../src/engine/index.ts';
import { lars, type Params, type SymbolicParams, sgd } from '../../../src/nn/index.ts';
import { pslHead } from '../../../src/openset/pslHead.ts';
import { pslLoss, pslPreset } from '../../../src/openset/pslLoss.ts';
import { unitRows } from '../../../src/openset/unitRows.ts';
import { type Adapter, type Compared, compareArray, isRecord, type ReferenceCase } from '../case.ts';
import { numberOf } from './inputs.ts';

/** How batch norms go: as at test, in training, or in training with all but the stem's frozen (the head's too, as published). */
type Mode = 'eval' | 'train' | 'frozen';

interface Outputs<T> {
  readonly backbone: T;
  readonly embedding: T;
  readonly pred: T;
  readonly stem: T;
  readonly stages: readonly T[];
  readonly buffers: Record<string, T>;
}

function networkOf(c: ReferenceCase): TsmOptions {
  const blocks = c.hyperparameters.blocks_per_stage as number[];
  return {
    network: { block: 'bottleneck', blocks, width: numberOf(c, 'base_width'), channels: 3 },
    segments: numberOf(c, 'segments'),
    shiftDivisor: Number(c.hyperparameters.shift_div ?? 8),
  };
}

/** Video `[videos, 2, 3, T, H, W]` -> embeddings and probabilities of all clips. */
function model(params: SymbolicParams, video: Tensor, options: TsmOptions, mode: Mode): Outputs<Tensor> {
  const clips = reshape(mul(video, 1 / 255), [-1, ...video.shape.slice(2)]);
  const norm = ({ eval: 'running', train: 'batch', frozen: 'stemOnly' } as const)[mode];
  const { features, frames, buffers } = tsm(params, clips, options, { norm });
  const [embedding, moved] = pslHead(params, features, { training: mode === 'train' });
  const similarity = matmul(embedding, unitRows(params.prototypes), { transposeB: true });
  return {
    backbone: features,
    embedding,
    pred: softmax(mul(similarity, 1 / pslPreset.temperature), -1),
    stem: frames.stem,
    stages: frames.stages,
    buffers: { ...buffers, ...moved },
  };
}

type Step = [weights: SymbolicParams, buffers: SymbolicParams, video: Tensor, labels: Tensor];
type Result = [loss: Tensor, outputs: Outputs<Tensor>, gradients: SymbolicParams];

function trainingStep(options: TsmOptions, mode: Mode): Compiled<Step, Result> {
  return compile(
    (...[weights, buffers, video, labels]: Step): Result =>
      valueAuxAndGrad((p: SymbolicParams): [Tensor, Outputs<Tensor>] => {
        const outputs = model({ ...buffers, ...p }, video, options, mode);
        return [pslLoss(outputs.embedding, labels, p.prototypes, pslPreset).loss, outputs];
      })(weights),
  );
}

const isBuffer = (name: string): boolean => /running_|num_batches_tracked$/.test(name);
const named = (all: Params, buffers: boolean): Params =>
  Object.fromEntries(Object.entries(all).filter(([name]) => isBuffer(name) === buffers));
const float64 = (array: NDArray): NDArray => (array.dtype === 'int64' ? array : astype(array, 'float64'));
const wide = (params: Params): Params => Object.fromEntries(Object.entries(params).map(([n, a]) => [n, float64(a)]));

/** The state beside a case, in float64. */
async function stateOf(c: ReferenceCase): Promise<Params> {
  const path = join(c.directory, `${c.name}_state.npz`);
  return wide(parseNpz(await readFile(path), path));
}

/** The first frames of an array `[frames, …]`. */
function first({ shape, data }: NDArray, frames: number): NDArray {
  return ndarray('float64', [frames, ...shape.slice(1)], (data as Float64Array).slice(0, (frames * data.length) / shape[0]));
}

const tsmModel: Adapter = {
  matches: ({ kind }) => kind === 'tsm_model',
  async run(c) {
    const options = networkOf(c);
    const state = await stateOf(c);
    const video = float64(c.arrays.in_video);
    const at = (section: string) => c.tolerance(section, 'float64');
    const results: Compared[] = [];
    const compare = (key: string, got: NDArray, bound = at(key)) => results.push(compareArray(c, key, got, bound));

    const evaluate = compile((params: SymbolicParams, x: Tensor) => model(params, x, options, 'eval'));
    const seen = await evaluate(state, video);
    await evaluate.dispose();
    compare('out_eval_backbone', seen.backbone);
    compare('out_eval_embedding', seen.embedding);
    compare('out_eval_pred', seen.pred);
    compare('out_eval_stem', first(seen.stem, 2));
    compare('out_eval_layer1', first(seen.stages[0], 2));
    compare('out_eval_layer4', first(seen.stages[3], 2));

    const step = trainingStep(options, 'train');
    const [loss, trained, gradients] = await step(named(state, false), named(state, true), video, c.arrays.in_labels);
    await step.dispose();
    compare('out_loss', loss);
    compare('out_train_backbone', trained.backbone);
    compare('out_train_embedding', trained.embedding);
    compare('out_train_pred', trained.pred);
    for (const key of c.expected) {
      const [, kind, name] = /^out_(grad|buffer_after)_{1,2}(.+)$/.exec(key) ?? [];
      // A bias before a batch norm has no gradient but rounding: the case says to what.
      const bound = name === 'head.mlp.linear_a.bias' ? { rtol: 0, atol: 1e-6 } : undefined;
      if (key === 'out_grad_norms') compare(key, norms(c, gradients));
      else if (kind === 'grad') compare(key, gradients[name], bound);
      else if (kind === 'buffer_after') compare(key, trained.buffers[name]);
    }
    return results;
  },
};

/** Euclidean norms of the gradients in the case's order. */
function norms(c: ReferenceCase, gradients: Params): NDArray {
  const order = c.hyperparameters.grad_norms_order as string[];
  const norm = (name: string) => Math.hypot(...(gradients[name].data as Float64Array));
  return ndarray('float64', [order.length], Float64Array.from(order, norm));
}

const trainSteps: Adapter = {
  matches: ({ kind }) => kind === 'train_steps',
  async run(c) {
    const frozen = c.hyperparameters.freeze_bn_after_first === true;
    const step = trainingStep(networkOf(c), frozen ? 'frozen' : 'train');
    const state = await stateOf(c);
    const params: Params = { ...named(state, false), prototypes: float64(c.arrays.in_prototypes) };
    const buffers = named(state, true);
    const [groups, lrs] = [c.hyperparameters.param_groups, c.hyperparameters.lrs as number[]];
    if (!Array.isArray(groups)) throw new Error(`${c.name}: expected hyperparameters.param_groups, a list`);
    const decay = new Map<string, number>();
    for (const group of groups)
      if (isRecord(group)) for (const name of group.names as string[]) decay.set(name, Number(group.weight_decay));
    const common = {
      momentum: numberOf(c, 'momentum'),
      nesterov: c.hyperparameters.nesterov === true,
      groups: (name: string) => ({ weightDecay: decay.get(name) }),
    };
    const optimizer =
      c.hyperparameters.optimizer === 'lars'
        ? lars({ ...common, trust: numberOf(c, 'lars_eta'), adaptVectors: true })
        : sgd(common);
    const memory = optimizer.init(params);
    const losses: number[] = [];
    for (const [i, lr] of lrs.entries()) {
      const [loss, { buffers: moved }, gradients] = await step(
        params,
        buffers,
        row(float64(c.arrays.in_video), i),
        labelsOf(c, i),
      );
      losses.push(Number(loss.data[0]));
      optimizer.update(params, gradients, memory, lr);
      Object.assign(buffers, moved);
    }
    await step.dispose();
    const after: Params = { ...params, ...buffers };
    return c.expected.map(key => {
      const bound = c.tolerance(key, 'float64');
      if (key === 'out_losses')
        return compareArray(c, key, ndarray('float64', [losses.length], Float64Array.from(losses)), bound);
      if (key === 'out_prototypes_after') return compareArray(c, key, params.prototypes, bound);
      return compareArray(c, key, after[key.replace('out_after__', '')], bound);
    });
  },
};

/** Step `i` of an array `[steps, …]`. */
function row({ shape: [, ...shape], data }: NDArray, i: number): NDArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return ndarray('float64', shape, (data as Float64Array).slice(i * size, (i + 1) * size));
}

/** Labels of a step's clips: the video's class, and -1 for its second clip. */
function labelsOf(c: ReferenceCase, i: number): NDArray {
  const { shape, data } = c.arrays.in_labels;
  const videos = Array.from({ length: shape[1] }, (_, v) => (data as BigInt64Array)[i * shape[1] + v]);
  const labels = videos.flatMap(label => [label, -1n]);
  return ndarray('int64', [labels.length], BigInt64Array.from(labels));
}

/** Adapters of the TSM networks. */
export const adapters: Adapter[] = [tsmModel, trainSteps];
