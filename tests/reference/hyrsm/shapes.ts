/** Names, shapes and decay of everything in the published state dictionaries at full size. */

import { convUnits, resnetPresets } from '../../../src/backbones/index.ts';
import { type Shape, sizeOf } from '../../../src/engine/ndarray.ts';
import { backbonePrefix, positionalName } from '../../../src/fewshot/backbone.ts';
import { isHeadBuffer } from '../../../src/fewshot/heads/head.ts';
import { type HeadSettings, headShapes, publishedHeads } from '../../../src/fewshot/heads/heads.ts';
import { hyrsmPreset } from '../../../src/fewshot/heads/hyrsm.ts';
import { frameTuples, trxPreset } from '../../../src/fewshot/heads/trx.ts';
import { fewshotGroups } from '../../../src/fewshot/paramGroups.ts';
import { compareStructure } from '../case.ts';
import { adapterOf } from './inputs.ts';

interface PublishedModel {
  readonly head: keyof typeof publishedHeads;
  readonly n_parameters: number;
  readonly n_trainable: number;
  readonly n_backbone: number;
  readonly n_entries: number;
  readonly optimizer_groups: readonly { readonly n_tensors: number; readonly weight_decay: number }[];
  readonly state_dict?: unknown;
  readonly head_state_dict?: unknown;
}

interface Entry {
  readonly shape: Shape;
  readonly dtype: string;
  readonly kind: 'parameter' | 'buffer';
  readonly optimizer_group?: number;
  readonly weight_decay?: number;
}

const [featureDim, frames] = [2048, 8];

function settingsOf(name: keyof typeof publishedHeads): HeadSettings {
  const published = publishedHeads[name];
  switch (published.head) {
    case 'otam':
    case 'tsn':
      return { head: published.head };
    case 'trx':
      return { ...trxPreset, head: 'trx', featureDim, frames };
    case 'hyrsm':
    case 'hyrsm++':
      return { ...hyrsmPreset, head: published.head, featureDim, references: published.references, classes: 64, coherence: null };
    default:
      throw new Error(`no published shapes of ${name}`);
  }
}

const decay = 1e-3;
const groupOf = fewshotGroups('published');

const parameter = (name: string, shape: Shape): [string, Entry] => {
  const decays = groupOf(name, shape) === undefined;
  const group = { optimizer_group: decays ? 2 : 0, weight_decay: decays ? decay : 0 };
  return [name, { shape, dtype: 'float32', kind: 'parameter', ...group }];
};
const buffer = (name: string, shape: Shape, dtype = 'float32'): [string, Entry] => [name, { shape, dtype, kind: 'buffer' }];

function backboneEntries(): [string, Entry][] {
  return convUnits(resnetPresets.resnet50).flatMap(({ conv, norm, shape }) => {
    const named = (part: string) => `${backbonePrefix}${positionalName(part)}`;
    const channels = [shape[0]];
    return [
      parameter(named(`${conv}.weight`), shape),
      ...['weight', 'bias'].map(part => parameter(named(`${norm}.${part}`), channels)),
      ...['running_mean', 'running_var'].map(part => buffer(named(`${norm}.${part}`), channels)),
      buffer(named(`${norm}.num_batches_tracked`), [], 'int64'),
    ];
  });
}

function headEntries(settings: HeadSettings): [string, Entry][] {
  const own = Object.entries(headShapes(settings)).map(([name, shape]) =>
    isHeadBuffer(name) ? buffer(name, shape) : parameter(name, shape),
  );
  if (settings.head !== 'trx') return own;
  // The tuples of frames are kept as integer parameters there; here they follow from their size.
  const tuples = settings.tupleSizes.flatMap((size, branch) =>
    frameTuples(frames, size).map((_, j): [string, Entry] => {
      const [name, entry] = parameter(`head.transformers.${branch}.tuples.${j}`, [size]);
      return [name, { ...entry, dtype: 'int64' }];
    }),
  );
  return [...own, ...tuples];
}

const sorted = (entries: readonly (readonly [string, unknown])[]) =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

const shapes = adapterOf('param_shapes', c =>
  Object.entries(c.json as Record<string, PublishedModel>).flatMap(([model, published]) => {
    const [backbone, head] = [backboneEntries(), headEntries(settingsOf(published.head))];
    const all = [...backbone, ...head];
    const count = (entries: readonly [string, Entry][], which: (entry: Entry) => boolean) =>
      entries.reduce((sum, [, entry]) => sum + (which(entry) ? sizeOf(entry.shape) : 0), 0);
    const isParameter = ({ kind }: Entry) => kind === 'parameter';
    const groups = [0, 1, 2, 3].map(group => all.filter(([, entry]) => entry.optimizer_group === group).length);
    const counts = {
      n_parameters: count(all, isParameter),
      n_trainable: count(all, entry => isParameter(entry) && entry.dtype === 'float32'),
      n_backbone: count(backbone, isParameter),
      n_entries: all.length,
      groups,
    };
    const { n_parameters, n_trainable, n_backbone, n_entries, optimizer_groups } = published;
    const expected = {
      n_parameters,
      n_trainable,
      n_backbone,
      n_entries,
      groups: optimizer_groups.map(({ n_tensors }) => n_tensors),
    };
    const entries = (published.state_dict ?? published.head_state_dict) as Record<string, unknown>;
    return [
      compareStructure(`json.${model}`, counts, expected),
      compareStructure(`json.${model}.state`, sorted(published.state_dict ? all : head), sorted(Object.entries(entries))),
    ];
  }),
);

export const adapters = [shapes];
