/** Video backbones of other programs as weights that training starts from (Node). */
import { basename } from 'node:path';
import { initTsm, renameTsm, type TsmNaming, tsmNaming, tsmNetwork, tsmPrefix, tsmPreset } from '../backbones/index.ts';
import { DataError, encodeSafetensors, messageOf, writeFileAtomic } from '../data/index.ts';
import { key } from '../engine/random.ts';
import { type Matched, matchWeights } from './matchWeights.ts';
import { type BackboneDescription, backboneMetadata } from './model.ts';
import type { SourceWeights } from './sourceWeights.ts';

/** A backbone with the weights of a checkpoint. */
export interface ImportedBackbone extends Matched {
  /** The checkpoint's arrays under our names; those that are no part of the backbone keep their own. */
  readonly weights: SourceWeights;
  readonly description: BackboneDescription;
}

/** Checkpoints, in words. */
const checkpoints: Readonly<Record<TsmNaming, string>> = {
  psl: 'PSL',
  tsm: 'the official TSM code',
  mmaction2: 'MMAction2',
};

/**
 * Matches the weights of a TSM to our names: those of PSL, of the official code and of MMAction2 are known. Heads and classifiers are left out.
 * @param where the file's name, for messages
 * @throws DataError if it is none of these checkpoints, or of another network than ResNet-18, -34 or -50
 */
export function importBackbone(source: SourceWeights, where: string): ImportedBackbone {
  const names = [...source.tensors.keys()];
  const naming = tsmNaming(names);
  if (!naming)
    throw new DataError(
      where,
      `expected a TSM checkpoint of ${Object.values(checkpoints).join(', ')}, found names such as ${names.slice(0, 3).join(', ')}`,
    );
  const tensors = new Map<string, NonNullable<ReturnType<typeof source.tensors.get>>>();
  for (const { from, to } of renamed(names, naming, where)) {
    const tensor = source.tensors.get(from);
    if (tensor) tensors.set(to ?? from, tensor);
  }
  const network = tsmNetwork(new Map([...tensors].map(([name, { shape }]) => [name, shape])));
  if (!network) throw new DataError(where, 'expected a TSM on ResNet-18, -34 or -50, found another network');
  const params = initTsm({ ...tsmPreset, network: network.options }, key(0));
  const weights = { ...source, tensors };
  return {
    weights,
    params,
    ...matchWeights(params, weights, name => name.endsWith('.num_batches_tracked')),
    base: `TSM on ${network.name}, width ${network.options.width}, by the names of ${checkpoints[naming]}`,
    adapted: [],
    description: {
      network: network.name,
      width: network.options.width,
      naming,
      // What PSL trained itself has seen plain values.
      normalized: naming !== 'psl',
      source: basename(where),
    },
  };
}

function renamed(names: readonly string[], naming: TsmNaming, where: string): ReturnType<typeof renameTsm> {
  try {
    // The head of a PSL has names of ours, too.
    return renameTsm(names, naming).map(({ from, to }) => ({ from, to: to?.startsWith(tsmPrefix) ? to : undefined }));
  } catch (error) {
    throw new DataError(where, messageOf(error), { cause: error });
  }
}

/** Writes a backbone as a file that `train --from` takes; what is in front of it (the head) then starts fresh. */
export async function writeBackbone(to: string, { params, description }: ImportedBackbone): Promise<void> {
  await writeFileAtomic(to, encodeSafetensors(params, backboneMetadata(description)));
}
