/** Reference cases `model__*`: the network's outputs, its vector-Jacobian products, its parameters' names. */

import { add, mul, type NDArray, ndarray, type Shape, sizeOf, sum, type Tensor } from '../../../src/engine/index.ts';
import { type AcmNetMasks, type AcmNetOptions, acmNet, acmNetPresets, acmNetShapes } from '../../../src/localization/acmNet.ts';
import { type Adapter, type Compared, compareArray, compareStructure, isRecord, type ReferenceCase } from '../case.ts';
import { hashed } from './hash.ts';
import { arraysOf, comparePresent, type Named, networkOptions, once, publishedOutputs, withGradients } from './network.ts';

const model = (matches: (c: ReferenceCase) => boolean, run: Adapter['run']): Adapter => ({
  matches: c => c.kind === 'model' && matches(c),
  run,
});
const json = (c: ReferenceCase): Record<string, unknown> => (isRecord(c.json) ? c.json : {});

/** Suffixes of the streams: `features_1` and `features_2` of a pair, or `features` alone. */
function streamsOf(inputs: Named<NDArray>): string[] {
  return Object.keys(inputs)
    .flatMap(name => /^features(_\d+)?$/.exec(name)?.slice(1, 2) ?? [])
    .map(suffix => suffix ?? '');
}

const published: Record<string, keyof AcmNetMasks> = {
  snippet: 'snippet',
  cls_input: 'classInput',
  embed_input: 'embedInput',
  att_input: 'attentionInput',
};

/** The case's masks as 0/1. They are stored with their factor 1 / (1 - p), and channel-first where they lie before a convolution. */
function masksOf(c: ReferenceCase, { dropout }: AcmNetOptions): AcmNetMasks<NDArray> {
  const entries = Object.entries(arraysOf(c, 'mask.')).map(([name, mask]) => {
    const site = published[name];
    if (!site) throw new Error(`${c.name}: no dropout site is called "${name}"`);
    const kept = Uint8Array.from(mask.data as ArrayLike<number>, value => {
      if (value !== 0 && Math.abs(value * (1 - dropout) - 1) > 1e-5)
        throw new Error(`mask.${name}: ${value} is not 1 / (1 - ${dropout})`);
      return value === 0 ? 0 : 1;
    });
    const array = ndarray('uint8', mask.shape, kept);
    return [site, /^(embed|att)_/.test(name) ? timeFirst(array) : array] as const;
  });
  return Object.fromEntries(entries);
}

/** `[batch, F, time]` -> `[batch, time, F]`. */
function timeFirst({ shape: [batch, width, time], data }: NDArray<'uint8'>): NDArray<'uint8'> {
  const at = (i: number) => {
    const [b, t, f] = [Math.floor(i / (time * width)), Math.floor(i / width) % time, i % width];
    return data[(b * width + f) * time + t];
  };
  return ndarray(
    'uint8',
    [batch, time, width],
    Uint8Array.from(data, (_, i) => at(i)),
  );
}

const forward = model(
  c => streamsOf(arraysOf(c, 'in.')).length > 0 && 'param.att_branch.weight' in c.arrays,
  async c => {
    const inputs = arraysOf(c, 'in.');
    const params = arraysOf(c, 'param.');
    const options = networkOptions(c, params);
    const suffixes = streamsOf(inputs);
    const given = { masks: masksOf(c, options), cotangents: arraysOf(c, 'cot.') };
    const run = (p: Named, x: Named, masks: AcmNetMasks) =>
      Object.assign({}, ...suffixes.map(s => publishedOutputs(acmNet(p, x[`features${s}`], options, masks), s))) as Named;

    if (Object.keys(given.cotangents).length === 0) return comparePresent(c, await once(run, params, inputs, given.masks));
    const { outputs, gradients } = await withGradients(
      (at, constants) => {
        const [p, masks, cotangents] = [under('param.', at), under('mask.', constants), under('cot.', constants)];
        const all = run(p, at, masks);
        const products = Object.entries(cotangents).map(([name, cotangent]) => sum(mul(cotangent, all[name])));
        return { loss: products.reduce((a, b): Tensor => add(a, b)), outputs: all };
      },
      { ...inputs, ...prefixed('param.', params) },
      { ...prefixed('mask.', given.masks as Named<NDArray>), ...prefixed('cot.', given.cotangents) },
    );
    const ofInputs = suffixes.map(s => [`input${s}`, gradients[`features${s}`]]);
    return comparePresent(c, outputs, { ...gradients, ...Object.fromEntries(ofInputs) });
  },
);

/** The entries under a prefix, without it; and the inverse. */
const under = (prefix: string, named: Named): Named =>
  Object.fromEntries(
    Object.entries(named)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
const prefixed = (prefix: string, named: Named<NDArray>): Named<NDArray> =>
  Object.fromEntries(Object.entries(named).map(([name, value]) => [`${prefix}${name}`, value]));

/** A tensor to be filled by the hash. */
interface Recipe {
  readonly param?: string;
  readonly shape: Shape;
  readonly seed: number;
  readonly scale: number;
  readonly post?: string;
}

const generated = model(
  c => Array.isArray(json(c).params) && isRecord(json(c).input),
  async c => {
    const { params: recipes, input } = c.json as { params: Recipe[]; input: Recipe };
    const params = Object.fromEntries(
      recipes.map(({ param, shape, seed, scale }) => [String(param), hashed(shape, seed, scale)]),
    );
    const features = hashed(input.shape, input.seed, input.scale);
    // "v=max(h,0)*2 in float32": non-negative features, as a network's activations are.
    const factor = /^v=max\(h,0\)\*(\d+)/.exec(input.post ?? '');
    if (input.post && !factor) throw new Error(`${c.name}: unknown step after the hash: ${input.post}`);
    if (factor)
      for (let i = 0; i < features.data.length; i++) features.data[i] = Math.max(features.data[i], 0) * Number(factor[1]);
    const options = networkOptions(c, params);
    const outputs = await once((p: Named, x: Tensor) => publishedOutputs(acmNet(p, x, options)), params, features);
    return comparePresent(c, outputs);
  },
);

/** `out.seed2_scale0p5`: the first values under seed 2 and scale 0.5. */
const hashName = /^out\.seed(\d+)_scale(\d+(?:p\d+)?)$/;

const generator = model(
  c => c.expected.length > 0 && c.expected.every(key => hashName.test(key)),
  c =>
    c.expected.map(key => {
      const [, seed, scale] = hashName.exec(key) ?? [];
      return compareArray(c, key, hashed(c.arrays[key].shape, Number(seed), Number(scale.replace('p', '.'))));
    }),
);

/** `{"ACMNet_THUMOS": {"params": {name: shape}, "total": count}}` */
type ParameterLists = Record<string, { readonly params: Record<string, Shape>; readonly total: number }>;

const parameterNames = model(
  c => c.name.includes('param_names'),
  c =>
    Object.entries(c.json as ParameterLists).flatMap(([network, { params, total }]): Compared[] => {
      const shapes = acmNetShapes(/activitynet/i.test(network) ? acmNetPresets.activitynet : acmNetPresets.thumos14);
      const count = Object.values(shapes).reduce((all, shape) => all + sizeOf(shape), 0);
      return [
        // As lists of entries: their order is part of it.
        compareStructure(`json.${network}.params`, Object.entries(shapes), Object.entries(params)),
        { key: `json.${network}.total`, got: count, want: total },
      ];
    }),
);

/** Adapters of the `model` cases. */
export const adapters: Adapter[] = [forward, generated, generator, parameterNames];
