/** Cases from pixels: a narrow ResNet by position, batch norms in both modes, the head and all gradients. */

import type { ResNetOptions } from '../../../src/backbones/index.ts';
import { compile, type NDArray, ndarray, reshape, type Tensor, valueAuxAndGrad } from '../../../src/engine/index.ts';
import { backbonePrefix, episodeFeatures, isHeadBuffer } from '../../../src/fewshot/index.ts';
import { type Adapter, type Compared, compareArray } from '../case.ts';
import { arraysWith, integersOf, numberOf, settingsOf, supportOrder } from './headInputs.ts';
import { outputsOf, weightsOf } from './heads.ts';

type Named<T = Tensor> = Readonly<Record<string, T>>;

const isBuffer = (name: string): boolean => /running_|num_batches_tracked$/.test(name) || isHeadBuffer(name);

const endToEnd: Adapter = {
  matches: ({ kind }) => kind === 'end_to_end',
  async run(c) {
    const frames = numberOf(c, 'T');
    const network: ResNetOptions = {
      block: c.hyperparameters.block === 'Bottleneck' ? 'bottleneck' : 'basic',
      blocks: c.hyperparameters.layers as number[],
      width: numberOf(c, 'base_width'),
      channels: 3,
    };
    const settings = settingsOf(c, numberOf(c, 'feature_dim'));
    const order = supportOrder(integersOf(c.arrays['in.support_labels']));
    const weights = weightsOf(c);
    const state = arraysWith(c, 'param.');
    const split = (buffers: boolean) => Object.fromEntries(Object.entries(state).filter(([name]) => isBuffer(name) === buffers));
    const videos = (key: string): NDArray => {
      const { shape, data } = c.arrays[key];
      return ndarray('float32', [shape[0] / frames, frames, ...shape.slice(1)], data as Float32Array);
    };
    const clips = [...integersOf(c.arrays['in.real_support_labels']), ...integersOf(c.arrays['in.real_target_labels'])];
    const labels = {
      queries: c.arrays['in.target_labels'],
      clips: ndarray('int32', [clips.length], Int32Array.from(clips)),
    };
    const pixels = { support: videos('in.support_set'), query: videos('in.target_set') };
    type Given = { queries: Tensor; clips: Tensor };
    const forward = (params: Named, x: { support: Tensor; query: Tensor }, given: Given, norm: 'batch' | 'running') => {
      const { support, query, buffers } = episodeFeatures(params, x.support, x.query, network, norm);
      const outputs = outputsOf(params, { support, query }, given, order, settings, weights);
      return { outputs: { ...outputs, backbone_query: reshape(query, [-1, query.shape[2]]) } as Named, buffers };
    };
    const evaluate = compile((params: Named, x: { support: Tensor; query: Tensor }, given: Given) =>
      forward(params, x, given, 'running'),
    );
    const train = compile((at: Named, buffers: Named, x: { support: Tensor; query: Tensor }, given: Given) =>
      valueAuxAndGrad((point: Named): [Tensor, ReturnType<typeof forward>] => {
        const result = forward({ ...buffers, ...point }, x, given, 'batch');
        return [result.outputs.loss_total, result];
      })(at),
    );
    const { outputs: tested } = await evaluate(state, pixels, labels);
    const [, { outputs: trained, buffers: moved }, gradients] = await train(split(false), split(true), pixels, labels);
    await Promise.all([evaluate.dispose(), train.dispose()]);
    const got: Record<string, NDArray> = {};
    for (const [name, array] of Object.entries(tested)) got[`out.eval.${name}`] = array;
    for (const [name, array] of Object.entries(trained)) got[`out.train.${name}`] = array;
    for (const [name, array] of Object.entries(moved)) got[`after.${name}`] = array;
    for (const [name, array] of Object.entries(gradients)) got[`grad.param.${name}`] = array;
    if (!Object.keys(moved).every(name => name.startsWith(backbonePrefix)))
      throw new Error(`${c.name}: a buffer with an odd name`);
    const after = Object.keys(c.arrays).filter(key => key.startsWith('after.') && !(key in got));
    if (after.length > 0) throw new Error(`${c.name}: not computed: ${after[0]}`);
    return Object.entries(got).flatMap(([key, array]): Compared[] => (key in c.arrays ? [compareArray(c, key, array)] : []));
  },
};

/** Adapters of cases from pixels. */
export const adapters: Adapter[] = [endToEnd];
