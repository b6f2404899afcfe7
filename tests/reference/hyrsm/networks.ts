/** TAdaConv, MoSI's motions, and published checkpoints. */

import { join } from 'node:path';
import { tadaConv, tadaRoute } from '../../../src/backbones/tada.ts';
import { readBytes } from '../../../src/data/files.ts';
import { StoredTensor } from '../../../src/data/formats/storedTensor.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../../src/data/formats/torchCheckpoint.ts';
import { findStateDict } from '../../../src/data/stateDict.ts';
import { compile, type NDArray } from '../../../src/engine/index.ts';
import type { SymbolicParams } from '../../../src/nn/index.ts';
import { type MosiOptions, mosiLabels, mosiMotions } from '../../../src/video/mosi.ts';
import { type Adapter, type Compared, compareStructure, type Precision, type ReferenceCase } from '../case.ts';
import { adapterOf, arraysOf, compareIn } from './inputs.ts';

const tada = adapterOf('tada', async c => {
  const compared: Compared[] = [];
  for (const precision of ['float64', 'float32'] as const satisfies Precision[]) {
    const layer = compile(({ x, ...params }: SymbolicParams) => {
      const [alpha] = tadaRoute(params, 'route', x, { training: false });
      return { alpha, y: tadaConv(params, 'conv', x, alpha, { padding: 1 }) };
    });
    const outputs = await layer({ ...arraysOf(c, 'param.', precision), ...arraysOf(c, 'in.', precision) });
    await layer.dispose();
    compared.push(
      compareIn(c, 'out.alpha', outputs.alpha as NDArray, precision),
      compareIn(c, 'out.y', outputs.y as NDArray, precision),
    );
  }
  return compared;
});

interface SpeedSet {
  readonly num_classes: number;
  readonly DATA_MODE: MosiOptions['axes'];
  readonly DECOUPLE: boolean;
  readonly ZERO_OUT: boolean;
  readonly LABEL_MODE: 'joint' | 'separate';
  readonly speed_set: unknown;
  readonly labels: unknown;
}

const mosi = adapterOf('mosi', c =>
  (c.json as SpeedSet[]).flatMap((set, i) => {
    const motions = mosiMotions({
      speeds: set.num_classes,
      axes: set.DATA_MODE,
      decoupled: set.DECOUPLE,
      still: !set.ZERO_OUT,
    });
    const { joint, x, y } = mosiLabels(motions, set.num_classes);
    const labels = set.LABEL_MODE === 'joint' ? { move_joint: joint } : { move_x: x, move_y: y };
    return [
      compareStructure(`json[${i}].speed_set`, motions, set.speed_set),
      compareStructure(`json[${i}].labels`, labels, set.labels),
    ];
  }),
);

function child(tree: CheckpointValue, ...path: readonly (string | number)[]): CheckpointValue | undefined {
  return path.reduce<CheckpointValue | undefined>(
    (value, key) => (value instanceof Map ? value.get(key) : Array.isArray(value) ? value[Number(key)] : undefined),
    tree,
  );
}

async function read(c: ReferenceCase, option: 'file' | 'state_dict_file') {
  const path = join(c.directory, String(c.hyperparameters[option]));
  const tree = parseTorchCheckpoint(await readBytes(path), path);
  const { tensors } = findStateDict(tree, path);
  return { tree, weights: Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.read()])) };
}

/** Weights, Adam's state, groups and epoch of a checkpoint, and the names and shapes of a plain file of weights. */
const checkpoints = adapterOf('checkpoint', async c => {
  const { tree, weights } = await read(c, 'file');
  const params = Object.entries(c.arrays).filter(([key]) => key.startsWith('param.'));
  const moments = Object.entries(c.arrays).filter(([key]) => key.startsWith('adam.'));
  const exact = (key: string, got: NDArray | undefined, want: NDArray): Compared => {
    if (!got) throw new Error(`${c.name}: the checkpoint has no ${key}`);
    return { key, got: got.data, want: want.data, gotShape: got.shape, wantShape: want.shape, tolerance: { rtol: 0, atol: 0 } };
  };
  const adam = (key: string): NDArray | undefined => {
    const [, index, name] = key.split('.');
    const stored = child(tree, 'optimizer_state', 'state', Number(index), name);
    return stored instanceof StoredTensor ? stored.read() : undefined;
  };
  const groups = child(tree, 'optimizer_state', 'param_groups');
  const found = (Array.isArray(groups) ? groups : []).map(group => {
    const places = child(group, 'params');
    return { n: Array.isArray(places) ? places.length : -1, weight_decay: child(group, 'weight_decay'), params: places };
  });
  const plain = await read(c, 'state_dict_file');
  const shapes = (all: Record<string, NDArray>) =>
    Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape]));
  return [
    compareStructure('names', Object.keys(weights).sort(), params.map(([key]) => key.slice('param.'.length)).sort()),
    ...params.map(([key, want]) => exact(key, weights[key.slice('param.'.length)], want)),
    ...moments.map(([key, want]) => exact(key, adam(key), want)),
    compareStructure('epoch', child(tree, 'epoch'), c.hyperparameters.epoch_field),
    compareStructure('param_groups', found, c.hyperparameters.param_groups),
    compareStructure('state_dict', shapes(plain.weights), shapes(weights)),
  ];
});

/** Adapters of networks and their files. */
export const adapters: Adapter[] = [tada, mosi, checkpoints];
