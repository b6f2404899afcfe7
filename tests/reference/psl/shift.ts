/** Reference cases `temporal_shift`: values and gradients, bit for bit. */

import { temporalShift } from '../../../src/backbones/tsm.ts';
import { compile, type Tensor, vjp } from '../../../src/engine/index.ts';
import { type Adapter, compareArray } from '../case.ts';
import { numberOf } from './inputs.ts';

const shift: Adapter = {
  matches: ({ kind }) => kind === 'temporal_shift',
  async run(c) {
    const [segments, divisor] = [numberOf(c, 'n_segment'), numberOf(c, 'fold_div')];
    const both = compile((x: Tensor, cotangent: Tensor) => {
      const y = temporalShift(x, segments, divisor);
      return { y, gradient: vjp([y], [cotangent], [x])[0] };
    });
    const { y, gradient } = await both(c.arrays.in_x, c.arrays.in_grad_out);
    await both.dispose();
    return [compareArray(c, 'out_y', y), compareArray(c, 'out_grad_x', gradient)];
  },
};

/** Adapters of the temporal shift. */
export const adapters: Adapter[] = [shift];
