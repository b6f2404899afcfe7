/** Weights by name into the parameters of a model. */
import type { NDArray, Shape } from '../engine/index.ts';
import { floatData, type Merged, mergeParams, type Params } from '../nn/index.ts';
import type { SourceWeights } from './sourceWeights.ts';

/** Imported weights, matched to parameters. */
export interface Matched {
  readonly params: Params;
  /** Whatever has another shape is left as it was. */
  readonly merged: Merged;
  /** What the parameters are: the name of a configuration, or of a network. */
  readonly base: string;
  /** Keys of the configuration that the weights decided against it, e.g. `model.featureDim: 8, not 2048`. */
  readonly adapted: readonly string[];
  /** Missing parameters without which inference makes no sense. */
  readonly needed: readonly string[];
  /** Matched parameters with values that are no finite numbers. */
  readonly notFinite: readonly string[];
}

/**
 * Copies weights into parameters, in place.
 * @param isSpare whether inference does without a parameter
 */
export function matchWeights(
  params: Params,
  { tensors }: SourceWeights,
  isSpare: (name: string) => boolean,
): Pick<Matched, 'merged' | 'needed' | 'notFinite'> {
  const merged = mergeParams(params, Object.fromEntries([...tensors].map(([name, tensor]) => [name, unread(tensor)])));
  return {
    merged,
    needed: merged.missing.filter(name => !isSpare(name)),
    notFinite: merged.matched.filter(name => floatData(params[name])?.every(Number.isFinite) === false),
  };
}

/** An array whose values are read when they are first looked at: those of unexpected tensors never are, whatever they hold. */
function unread(tensor: { readonly shape: Shape; read(): NDArray }): NDArray {
  let array: NDArray | undefined;
  const opened = (): NDArray => {
    array ??= tensor.read();
    return array;
  };
  return {
    shape: tensor.shape,
    get dtype() {
      return opened().dtype;
    },
    get data() {
      return opened().data;
    },
  };
}
