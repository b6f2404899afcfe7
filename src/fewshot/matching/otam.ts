/**
 * Ordered temporal alignment: the smoothed smallest sum of distances along a path that enters the other sequence anywhere, follows it forwards and
 * leaves it anywhere. Source: K. Cao et al., "Few-shot video classification via temporal alignment", CVPR 2020, with the published recursion.
 */
import {
  add,
  concat,
  exp,
  hostCall,
  log,
  minimum,
  mul,
  type NDArray,
  reshape,
  sizeOf,
  split,
  stopGradient,
  sub,
  type Tensor,
  transpose,
  zeros,
} from '../../engine/index.ts';
import { alignmentTable, withEndColumn } from './alignmentTable.ts';
import { otamGradient, otamScratch, otamValue } from './otamPair.ts';

/** Published smoothing (lambda). */
export const otamSmoothing = 0.1;

/** How the recursion runs: cut out of the graph as a loop over typed arrays, or inside it over anti-diagonals. They agree. */
export type OtamForm = 'host' | 'graph';

export interface OtamOptions {
  /** lambda of softmin(x…) = -lambda log sum e^(-x / lambda); default {@link otamSmoothing}. */
  readonly smoothing?: number;
  /** Default `graph`: a cut would carry everything that a backbone's backward pass needs out of the runtime and back. */
  readonly form?: OtamForm;
}

/**
 * One direction, rows in order: distances `[…, L, M]` -> `[…]`. With a column of zeros before and one behind,
 *   c[0, m] = d[0, m] + c[0, m-1],  c[l, 0] = 0,  c[l, m] = d[l, m] + softmin(c[l-1, m-1], c[l, m-1]) and, in columns 1 and M + 1, also c[l-1, m];
 * the result is c[L-1, M+1]. By log-sum-exp, so it does not overflow where the published code does.
 */
export function otamOneWay(distances: Tensor, { smoothing = otamSmoothing, form = 'graph' }: OtamOptions = {}): Tensor {
  const [l, m] = distances.shape.slice(-2);
  const outer = distances.shape.slice(0, -2);
  const pairs = reshape(distances, [-1, l, m]);
  return reshape(form === 'host' ? onHost(pairs, smoothing) : inGraph(pairs, smoothing), outer);
}

/** As published, both directions: {@link otamOneWay} of the distances and of their transpose, added. distances `[…, L, M]` -> `[…]`. */
export function otam(distances: Tensor, options: OtamOptions = {}): Tensor {
  const [l, m] = distances.shape.slice(-2);
  const outer = distances.shape.slice(0, -2);
  const pairs = reshape(distances, [-1, l, m]);
  const swapped = transpose(pairs, [0, 2, 1]);
  const count = pairs.shape[0];
  // One recursion over twice the pairs, where both directions have one shape.
  const [forwards, backwards] =
    l === m
      ? split(otamOneWay(concat([pairs, swapped], 0), options), [count, count], 0)
      : [otamOneWay(pairs, options), otamOneWay(swapped, options)];
  return reshape(add(forwards, backwards), outer);
}

/** Everything in units of lambda, which saves two products a cell. */
function inGraph(distances: Tensor, smoothing: number): Tensor {
  const costs = withEndColumn(mul(distances, 1 / smoothing));
  const columns = costs.shape[2];
  const last = alignmentTable(costs, {
    border: 0,
    start: 0,
    down: column => column === 1 || column === columns,
    join: ({ diagonal, up, left }) => {
      const least = stopGradient(minimum(minimum(diagonal, up), left));
      const weight = (x: Tensor) => exp(sub(least, x));
      return sub(least, log(add(add(weight(diagonal), weight(up)), weight(left))));
    },
  });
  return mul(last, smoothing);
}

function onHost(distances: Tensor, smoothing: number): Tensor {
  const { dtype, shape } = distances;
  const [pairs, rows, columns] = shape;
  const scratch = otamScratch(rows, columns);
  return hostCall(
    {
      name: 'otam',
      outputs: [{ dtype, shape: [pairs] }],
      flops: 4 * sizeOf(shape),
      forward: ([d]) => {
        const scores = zeros([pairs], dtype) as NDArray<'float32'>;
        for (let i = 0; i < pairs; i++)
          scores.data[i] = otamValue(d.data as Float32Array, rows, columns, i * rows * columns, smoothing, scratch);
        return [scores];
      },
      backward: ([ct], [d]) => {
        const gradient = zeros(shape, dtype) as NDArray<'float32'>;
        for (let i = 0; i < pairs; i++)
          otamGradient(
            d.data as Float32Array,
            rows,
            columns,
            i * rows * columns,
            smoothing,
            Number(ct.data[i]),
            gradient.data,
            scratch,
          );
        return [gradient];
      },
    },
    [distances],
  )[0];
}
