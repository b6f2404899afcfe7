/** Cases of the published training loop on features: losses, rates, errors and the parameters at the end. */

import { compile, fromNumbers, mul, type NDArray, ndarray, type Tensor, valueAuxAndGrad } from '../../../src/engine/index.ts';
import { applyHead, fewshotLoss, type HeadSettings, headPrefix, type Shots } from '../../../src/fewshot/index.ts';
import { adam, clipByGlobalNorm, globalNorm, type Params, piecewise, warmup } from '../../../src/nn/index.ts';
import { type Adapter, type Compared, compareArray, type Precision, type ReferenceCase } from '../case.ts';
import { allAs, arraysWith, integersOf, numberOf, recordOf, settingsOf } from './headInputs.ts';

type Named<T = Tensor> = Readonly<Record<string, T>>;

/** One episode with its supports in the order of classes. */
interface Episode {
  readonly shots: Shots;
  readonly support: NDArray;
  readonly query: NDArray;
  readonly queries: NDArray;
  readonly clips: NDArray;
}

/** Row `at` of `[rows, …]`. */
function row({ dtype, shape: [, ...shape], data }: NDArray, at: number): NDArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { dtype, shape, data: (data as Float64Array).slice(at * size, (at + 1) * size) };
}

/** Whole clips of `[clips * frames, D]` in another order, as `[clips, frames, D]`. */
function clipsInOrder({ dtype, shape, data }: NDArray, frames: number, order?: readonly number[]): NDArray {
  const size = frames * shape[1];
  const wanted = order ?? Array.from({ length: shape[0] / frames }, (_, i) => i);
  const values = data.slice() as Float64Array;
  for (const [to, from] of wanted.entries())
    values.set((data as Float64Array).subarray(from * size, (from + 1) * size), to * size);
  return { dtype, shape: [wanted.length, frames, shape[1]], data: values };
}

function episodeAt(c: ReferenceCase, arrays: Record<string, NDArray>, at: number): Episode {
  const frames = numberOf(c, 'T');
  const integers = (name: string) => integersOf(row(arrays[name], at));
  const labels = integers('support_labels');
  const order = labels.map((_, i) => i).sort((a, b) => labels[a] - labels[b] || a - b);
  const shots = Array.from({ length: Math.max(...labels) + 1 }, (_, n) => labels.filter(label => label === n).length);
  const classes = integers('real_support_labels');
  const clips = [...order.map(i => classes[i]), ...integers('real_target_labels')];
  return {
    shots,
    support: clipsInOrder(row(arrays.support_set, at), frames, order),
    query: clipsInOrder(row(arrays.target_set, at), frames),
    queries: row(arrays.target_labels, at),
    clips: ndarray('int32', [clips.length], Int32Array.from(clips)),
  };
}

async function runLoop(c: ReferenceCase, precision: Precision): Promise<Compared[]> {
  const settings: HeadSettings = settingsOf(c, numberOf(c, 'D'));
  const [train, solver, optimization] = ['train', 'solver', 'optimizer'].map(name => recordOf(c, name));
  const { CLIP_GRAD_NORM: clip } = recordOf(c, 'extra');
  const weights = {
    classification: train.USE_CLASSIFICATION ? Number(train.USE_CLASSIFICATION_VALUE) : 0,
    coherence: train.USE_LOCAL ? Number(train.TEMPORAL_LOSS_WEIGHT) : 0,
  };
  const divisor = numberOf(c, 'BATCH_SIZE');
  const plain = new Set((c.hyperparameters.no_weight_decay as string[]).map(name => headPrefix + name));
  const params: Params = Object.fromEntries(
    Object.entries(allAs(arraysWith(c, 'param.'), precision)).map(([name, { dtype, shape, data }]) => [
      headPrefix + name,
      { dtype, shape, data: data.slice() } as NDArray,
    ]),
  );
  const used = (name: string) => weights.classification > 0 || !name.includes('classification_layer');
  const optimizer = adam({
    betas: optimization.betas as [number, number],
    eps: Number(optimization.eps),
    weightDecay: Number(optimization.weight_decay),
    groups: name => (plain.has(name) ? { weightDecay: 0 } : undefined),
  });
  const policy = warmup(
    Number(solver.WARMUP_EPOCHS),
    piecewise(Number(solver.BASE_LR), solver.STEPS as number[], solver.LRS as number[]),
    { from: Number(solver.WARMUP_START_LR) },
  );
  const step = compile((at: Named, shots: Shots, x: { support: Tensor; query: Tensor; queries: Tensor; clips: Tensor }) =>
    valueAuxAndGrad((point: Named): [Tensor, { logits: Tensor }] => {
      const output = applyHead(point, { support: x.support, query: x.query, shots }, settings);
      return [mul(fewshotLoss(output, x, weights).loss, 1 / divisor), { logits: output.logits }];
    })(at),
  );
  const state = optimizer.init(params);
  const arrays = allAs(arraysWith(c, 'in.'), precision);
  const got: Record<string, number[]> = { loss: [], lr: [], top1_err: [], param_norm: [] };
  let gradients: Params | undefined;
  for (let i = 0; i < numberOf(c, 'iterations'); i++) {
    const { shots, ...episode } = episodeAt(c, arrays, i);
    // The published epochs: whole ones are counted twice.
    const every = Number(solver.STEPS_ITER);
    const rate = policy(Math.floor(i / every) + i / every);
    const [loss, { logits }, fresh] = await step(params, shots, episode);
    gradients = gradients ? summed(gradients, fresh) : fresh;
    if (clip !== undefined) clipByGlobalNorm(gradients, Number(clip));
    if ((i + 1) % numberOf(c, 'BATCH_SIZE_PER_TASK') === 0) {
      const trained = Object.fromEntries(Object.entries(gradients).filter(([name]) => used(name)));
      optimizer.update(params, trained, state, rate);
      gradients = undefined;
    }
    got.loss.push(Number(loss.data[0]));
    got.lr.push(rate);
    got.top1_err.push(errorOf(logits, episode.queries));
    got.param_norm.push(globalNorm(params as Parameters<typeof globalNorm>[0]));
  }
  await step.dispose();
  return [
    ...Object.entries(got).map(([name, values]) =>
      compareArray(c, `out.${name}`, fromNumbers(values, [values.length], 'float64'), c.tolerance(`out.${name}`, precision)),
    ),
    ...Object.entries(params).map(([name, array]) => {
      const key = `final.${name.slice(headPrefix.length)}`;
      return compareArray(c, key, array, c.tolerance(key, precision));
    }),
  ];
}

function summed(a: Params, b: Params): Params {
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name].data;
    for (let i = 0; i < data.length; i++) data[i] = Number(data[i]) + Number(other[i]);
  }
  return a;
}

/** Queries that are named wrongly, in percent. */
function errorOf(logits: NDArray, labels: NDArray): number {
  const [queries, way] = logits.shape;
  const scores = Array.from(logits.data as Float64Array);
  const wrong = integersOf(labels).filter((label, i) => {
    const own = scores.slice(i * way, (i + 1) * way);
    return own.indexOf(Math.max(...own)) !== label;
  });
  return (100 * wrong.length) / queries;
}

const loops: Adapter = {
  matches: ({ kind }) => kind === 'train_loop',
  run: async c => [...(await runLoop(c, 'float64')), ...(await runLoop(c, 'float32'))],
};

/** Adapters of the training loop. */
export const adapters: Adapter[] = [loops];
