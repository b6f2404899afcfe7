/** Cases of the blocks that heads are made of, and the table of positions. */

import { fromNumbers, type Tensor } from '../../../src/engine/index.ts';
import {
  addPositions,
  crossRelation,
  encodePositions,
  feedForward,
  intraRelation,
  maxPositions,
  positionTable,
  postNormRelation,
} from '../../../src/fewshot/index.ts';
import { type Adapter, compareArray, type ReferenceCase } from '../case.ts';
import { allAs, arraysWith, numberOf } from './headInputs.ts';
import { compareWithGradients } from './matching.ts';

type Named = Readonly<Record<string, Tensor>>;

/** What a case's block computes; parameters under `block.`, as a layer with that name has them. */
function blockOf(c: ReferenceCase): (all: Named, params: Named) => Tensor {
  const heads = Number(c.hyperparameters.heads);
  if (c.name.startsWith('block_prenorm_attention')) return ({ x0 }, params) => intraRelation(params, 'block', x0, heads);
  if (c.name.startsWith('block_postnorm_attention')) return ({ x0 }, params) => postNormRelation(params, 'block', x0, heads);
  if (c.name.startsWith('block_mha')) return ({ x0, x1, x2 }, params) => crossRelation(params, 'block', [x0, x1, x2], heads);
  if (c.name.startsWith('block_feedforward')) return ({ x0 }, params) => feedForward(params, 'block', x0);
  if (c.name.startsWith('block_trx')) return ({ x0, 'buffer.pe': pe }) => addPositions(x0, pe);
  const options = { attenuation: numberOf(c, 'A'), weight: numberOf(c, 'B') };
  return ({ x0, 'buffer.pe': pe }) => encodePositions(x0, pe, options);
}

const blocks: Adapter = {
  matches: ({ kind }) => kind === 'block',
  run: c => {
    const block = blockOf(c);
    const buffers = Object.fromEntries(Object.entries(c.arrays).filter(([key]) => key.startsWith('buffer.')));
    return compareWithGradients(
      c,
      all => ({
        y: block(all, Object.fromEntries(Object.entries(all).map(([name, value]) => [`block.${name}`, value]))),
      }),
      precision => allAs({ ...arraysWith(c, 'in.'), ...arraysWith(c, 'param.'), ...buffers }, precision),
    );
  },
};

const table: Adapter = {
  matches: ({ kind }) => kind === 'table',
  run: async c => {
    const width = numberOf(c, 'D');
    const { data, shape } = positionTable(width, numberOf(c, 'max_len'));
    if (numberOf(c, 'max_len') !== maxPositions) throw new Error(`${c.name}: expected a table of ${maxPositions} positions`);
    return [compareArray(c, 'out.pe', fromNumbers(Array.from(data), shape))];
  },
};

/** Adapters of the blocks. */
export const adapters: Adapter[] = [blocks, table];
