import { gelu, type Tensor } from '../../engine/index.ts';
import { linear, type SymbolicParams } from '../../nn/index.ts';
import { drop, type Kept } from './attention.ts';

/** Linear, GELU, linear (`net.0`, `net.3`), with dropout after each: x `[…, D]` -> `[…, D]`. No published head has it. */
export function feedForward(params: SymbolicParams, name: string, x: Tensor, kept: readonly [Kept?, Kept?] = []): Tensor {
  return drop(linear(params, `${name}net.3`, drop(gelu(linear(params, `${name}net.0`, x)), kept[0])), kept[1]);
}
