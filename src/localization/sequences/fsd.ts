import {
  add,
  div,
  exp,
  hostCall,
  log,
  max,
  maximum,
  mul,
  type NDArray,
  stack,
  stopGradient,
  sub,
  type Tensor,
  unstack,
  zeros,
} from '../../engine/index.ts';
import { antidiagonalRecursion } from './antidiagonals.ts';
import { type CosineOptions, matchAndGap } from './similarity.ts';

/** The published temperature of the smooth maximum. */
export const smoothMaxGamma = 0.1;

/**
 * smax(v_1, …, v_n) = gamma log sum_k exp(v_k / gamma), elementwise over tensors of one shape, shifted by the maximum so that it does not
 * overflow; the hard maximum for gamma = 0. Its gradient is softmax(v / gamma), which for gamma = 0 is shared evenly on ties.
 * Source: FTCL (CVPR 2022), smooth maximum.
 */
export function smoothMaxOf(values: readonly Tensor[], gamma = smoothMaxGamma): Tensor {
  if (gamma === 0) return max(stack(values), 0);
  const shift = stopGradient(values.reduce((a, b) => maximum(a, b)));
  const total = values.map(v => exp(div(sub(v, shift), gamma))).reduce((a, b) => add(a, b));
  return add(shift, mul(log(total), gamma));
}

/** {@link smoothMaxOf} the positions of one axis, which disappears. */
export function smoothMax(v: Tensor, axis = -1, gamma = smoothMaxGamma): Tensor {
  return smoothMaxOf(unstack(v, axis), gamma);
}

/**
 * Fine-grained sequence distance (a similarity: larger is more alike) of pairs of sequences from their match and gap
 * similarities `[pairs, n, m]` -> `[pairs]`, with zero borders:
 *   S[i,j] = m[i,j] + smax(S[i-1,j-1], g[i,j] + S[i-1,j], g[i,j] + S[i,j-1])
 * with smax as {@link smoothMaxOf}.
 * Source: FTCL (CVPR 2022), fine-grained sequence distance, with the published code's shared gap score. Vectorised over anti-diagonals.
 */
export function fsd(match: Tensor, gap: Tensor, gamma = smoothMaxGamma): Tensor {
  return antidiagonalRecursion([match, gap], ({ diagonal, up, left }, m, g) =>
    add(m, smoothMaxOf([diagonal, add(g, up), add(g, left)], gamma)),
  );
}

/** {@link fsd} of projected sequences p, q `[pairs, n, d]`: the first half of the columns matches, the second half is the gap. */
export function fsdOfSequences(p: Tensor, q: Tensor, gamma = smoothMaxGamma, options: CosineOptions = {}): Tensor {
  const { match, gap } = matchAndGap(p, q, options);
  return fsd(match, gap, gamma);
}

/**
 * The whole table of one pair, `[n + 1, m + 1]`, by the plain double loop: for inspection, and as the host form of {@link fsd}.
 * @param match, gap row-major `[n, m]`.
 */
export function fsdTable(
  match: ArrayLike<number>,
  gap: ArrayLike<number>,
  n: number,
  m: number,
  gamma = smoothMaxGamma,
): Float64Array {
  const width = m + 1;
  const table = new Float64Array((n + 1) * width);
  for (let i = 1; i <= n; i++) {
    for (let j = 1; j <= m; j++) {
      const g = gap[(i - 1) * m + j - 1];
      const a = table[(i - 1) * width + j - 1];
      const b = g + table[(i - 1) * width + j];
      const c = g + table[i * width + j - 1];
      const hard = Math.max(a, b, c);
      const soft =
        gamma === 0
          ? 0
          : gamma * Math.log(Math.exp((a - hard) / gamma) + Math.exp((b - hard) / gamma) + Math.exp((c - hard) / gamma));
      table[i * width + j] = match[(i - 1) * m + j - 1] + hard + soft;
    }
  }
  return table;
}

/**
 * Gradients of the last cell of {@link fsdTable}, by the reverse scan: d[n,m] = 1 and, with w the softmax weights of a cell's
 * three arguments, ds/dm = d, ds/dg = d (w2 + w3), and d flows back by w1, w2, w3.
 */
export function fsdGradients(
  table: Float64Array,
  gap: ArrayLike<number>,
  n: number,
  m: number,
  gamma = smoothMaxGamma,
): { match: Float64Array; gap: Float64Array } {
  const width = m + 1;
  const delta = new Float64Array(table.length);
  const gradients = { match: new Float64Array(n * m), gap: new Float64Array(n * m) };
  delta[delta.length - 1] = 1;
  for (let i = n; i >= 1; i--) {
    for (let j = m; j >= 1; j--) {
      const d = delta[i * width + j];
      const g = gap[(i - 1) * m + j - 1];
      const [w1, w2, w3] = weights(
        table[(i - 1) * width + j - 1],
        g + table[(i - 1) * width + j],
        g + table[i * width + j - 1],
        gamma,
      );
      gradients.match[(i - 1) * m + j - 1] = d;
      gradients.gap[(i - 1) * m + j - 1] = d * (w2 + w3);
      delta[(i - 1) * width + j - 1] += d * w1;
      delta[(i - 1) * width + j] += d * w2;
      delta[i * width + j - 1] += d * w3;
    }
  }
  return gradients;
}

/** softmax((a, b, c) / gamma); for gamma = 0 the maxima share the weight evenly. */
function weights(a: number, b: number, c: number, gamma: number): [number, number, number] {
  const hard = Math.max(a, b, c);
  const weight = (v: number) => (gamma === 0 ? Number(v === hard) : Math.exp((v - hard) / gamma));
  const [ea, eb, ec] = [weight(a), weight(b), weight(c)];
  const total = ea + eb + ec;
  return [ea / total, eb / total, ec / total];
}

/** {@link fsd} as a host call: the plain loop with its own backward. Same values; the graph is cut there. */
export function fsdOnHost(match: Tensor, gap: Tensor, gamma = smoothMaxGamma): Tensor {
  const [pairs, n, m] = match.shape;
  const table = (i: number, [a, b]: readonly NDArray[]) => {
    const part = (x: NDArray) => (x.data as Float32Array).subarray(i * n * m, (i + 1) * n * m);
    return { cells: fsdTable(part(a), part(b), n, m, gamma), gap: part(b) };
  };
  return hostCall(
    {
      name: 'fsd',
      outputs: [{ dtype: match.dtype, shape: [pairs] }],
      forward: inputs => {
        const scores = zeros([pairs], match.dtype);
        for (let i = 0; i < pairs; i++) (scores.data as Float32Array)[i] = table(i, inputs).cells[(n + 1) * (m + 1) - 1];
        return [scores];
      },
      backward: ([ct], inputs) => {
        const out = [zeros(match.shape, match.dtype), zeros(gap.shape, gap.dtype)] as [NDArray, NDArray];
        for (let i = 0; i < pairs; i++) {
          const { cells, gap: g } = table(i, inputs);
          const gradients = fsdGradients(cells, g, n, m, gamma);
          const scale = (ct.data as Float32Array)[i];
          for (let k = 0; k < n * m; k++) {
            (out[0].data as Float32Array)[i * n * m + k] = scale * gradients.match[k];
            (out[1].data as Float32Array)[i * n * m + k] = scale * gradients.gap[k];
          }
        }
        return out;
      },
    },
    [match, gap],
  )[0];
}
