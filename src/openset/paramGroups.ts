import type { Shape } from '../engine/index.ts';
import type { CommonOptions, ParamGroup } from '../nn/index.ts';

/** How parameters are grouped: as the published code does in fact (`as-run`), or as it was meant to. */
export type Grouping = 'as-run' | 'intended' | 'intended-finetune';

const noDecay: ParamGroup = { weightDecay: 0 };

/**
 * Parameter groups of PSL for an optimiser's `groups`:
 * - `as-run`: no weight decay on parameters with "bn" in their name and on the prototypes; all others, biases and the batch norms of shortcuts
 *   included, decay; no rate differs;
 * - `intended`: no decay on any batch norm, bias, prototype or spread of a Bayesian weight;
 * - `intended-finetune`: the same, with the rate of the head times 5, of its biases times 10, and of all other biases times 2.
 */
export function pslGroups(grouping: Grouping): NonNullable<CommonOptions['groups']> {
  if (grouping === 'as-run') return name => (name === 'prototypes' || name.includes('bn') ? noDecay : undefined);
  const scaled = grouping === 'intended-finetune';
  return (name, shape) => {
    if (name === 'prototypes') return noDecay;
    const isHead = name.startsWith('head.');
    // Weights of batch norms are the only ones with one axis.
    const decay = isBias(name) || shape.length < 2 || name.endsWith('_rho') ? noDecay : {};
    if (!scaled) return decay;
    const lrScale = isHead ? (isBias(name) ? 10 : 5) : isBias(name) && !isNorm(name, shape) ? 2 : 1;
    return { ...decay, lrScale };
  };
}

function isBias(name: string): boolean {
  return name.endsWith('.bias');
}

/** Batch norms are called bn or, in shortcuts, downsample.1. */
function isNorm(name: string, shape: Shape): boolean {
  return shape.length < 2 && (name.includes('bn') || name.includes('downsample.1.'));
}
