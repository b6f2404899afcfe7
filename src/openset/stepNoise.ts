/** What is random in a training step of a head, drawn outside the graph by a key. */
import { type NDArray, ndarray, random } from '../engine/index.ts';
import { fold, type Key } from '../engine/random.ts';
import type { HeadOptions, StepNoise } from './methods.ts';

/**
 * The draws of one step.
 * @param rows clips in the batch
 * @param keyOf the key of what has a name
 */
export function stepNoise(options: HeadOptions, rows: number, keyOf: (name: string) => Key): StepNoise<NDArray> {
  const { method, classes, featureDim, dropout, debias } = options;
  return {
    ...(dropout > 0 && { mask: random.bernoulliMask(keyOf('dropout'), 1 - dropout, [rows, featureDim]) }),
    ...(method === 'bayesian' && {
      weights: {
        weight: random.normal(keyOf('weights'), [classes, featureDim]),
        bias: random.normal(fold(keyOf('weights'), 'bias'), [classes]),
      },
    }),
    ...(method === 'evidential' &&
      debias && {
        debias: {
          order: ndarray('int32', [debias.frames], random.permutation(keyOf('debias'), debias.frames)),
          mask: random.bernoulliMask(fold(keyOf('debias'), 'dropout'), 1 - debias.dropout, [3, rows, debias.channels]),
        },
      }),
  };
}
