/** Reference cases `train__checkpoint_*`: weights that the published trainer saved, loaded into a fresh network. */

import { readBytes } from '../../../src/data/files.ts';
import { type CheckpointValue, parseTorchCheckpoint } from '../../../src/data/formats/torchCheckpoint.ts';
import { findStateDict } from '../../../src/data/stateDict.ts';
import { copyOf, random } from '../../../src/engine/index.ts';
import { type AcmNetOptions, acmNetPresets, initAcmNet } from '../../../src/localization/acmNet.ts';
import { mapParams, mergeParams } from '../../../src/nn/index.ts';
import { type Adapter, compareArray, compareStructure, type ReferenceCase } from '../case.ts';
import { numberOf } from './network.ts';

/** The network of a case's sizes; the rest of the options does not change its parameters. */
function optionsOf(c: ReferenceCase): AcmNetOptions {
  const size = (name: string): number => {
    const value = numberOf(c, [name], Number.NaN);
    if (Number.isNaN(value)) throw new Error(`${c.name}: expected hyperparameters.${name}, a number`);
    return value;
  };
  return {
    ...acmNetPresets.thumos14,
    featureDim: size('feature_dim'),
    classes: size('action_cls_num'),
    projectionDim: size('fc_dim'),
  };
}

function epochOf(tree: CheckpointValue): CheckpointValue | undefined {
  return tree instanceof Map ? tree.get('epoch') : undefined;
}

/**
 * Loads the checkpoint into a network that was initialised afresh. What the checkpoint has must be there to the bit, and what it does not
 * have must be as it was initialised.
 */
const loaded: Adapter = {
  matches: c => c.kind === 'train' && c.files.some(file => file.endsWith('.pth')),
  async run(c) {
    const [file] = c.files.filter(name => name.endsWith('.pth'));
    const tree = parseTorchCheckpoint(await readBytes(file), file);
    const { tensors } = findStateDict(tree, file);
    const weights = Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.read()]));
    const initial = initAcmNet(optionsOf(c), random.key(0));
    const params = mapParams(initial, copyOf);
    const { matched, missing, unexpected, wrongShape } = mergeParams(params, weights);

    const { epoch, keys, shapes } = c.json as {
      epoch: number;
      keys: readonly string[];
      shapes: Record<string, readonly number[]>;
    };
    const left = Object.keys(initial).filter(name => !keys.includes(name));
    return [
      compareStructure('epoch', epochOf(tree), epoch),
      compareStructure('keys', Object.keys(weights), keys),
      compareStructure('shapes', Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape])), shapes),
      compareStructure(
        'merged',
        { matched, missing, unexpected, wrongShape },
        { matched: keys, missing: left, unexpected: [], wrongShape: [] },
      ),
      ...keys.map(name => compareArray(c, `out.${name}`, params[name])),
      ...left.map(name => ({ key: `initial.${name}`, got: params[name].data, want: initial[name].data })),
    ];
  },
};

/** Adapters for the checkpoint cases. */
export const adapters: Adapter[] = [loaded];
