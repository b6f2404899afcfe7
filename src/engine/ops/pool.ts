import { type NDArray, ndarray, sizeOf, zeros } from '../ndarray.ts';
import { apply1, constant, type Op, rule, zero } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastTo } from './broadcast.ts';
import { lowerConvFloat64 } from './convFloat64.ts';
import { maximum, mul } from './elementwise.ts';
import { full, scatterAdd } from './index.ts';
import { mean } from './reduce.ts';
import { cast, reshape } from './shape.ts';
import {
  combinations,
  insertZeros,
  type Padding,
  type PerAxis,
  paddingOf,
  padOrCrop,
  perAxis,
  type Window,
  windowExtents,
} from './window.ts';

/** PyTorch's options, each for all spatial axes or one by one. */
export interface PoolOptions {
  /** Default: the kernel, so that windows do not overlap. */
  readonly stride?: PerAxis;
  /** Default 0; at most half the kernel. */
  readonly padding?: Padding;
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts as zeros of the window (default, as in PyTorch) or is left out of the average. */
  readonly countIncludePad?: boolean;
}

const onnxWindow = ({ kernel, stride, before, after }: Window) => ({
  kernel_shape: { ints: kernel },
  strides: { ints: stride },
  pads: { ints: [...before, ...after] },
});

const maxPoolOp: Op<Window> = {
  name: 'maxPool',
  infer: (window, x) => [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...windowExtents(x.shape.slice(2), window)] }],
  lower: (g, [x], { attrs }) => [g.node('MaxPool', [x], onnxWindow(attrs))],
  // Each cotangent goes to the first element of its window, in C order, that equals the maximum: PyTorch's choice on ties.
  vjp: ([ct], { attrs, inputs: [x] }) => {
    if (!ct) return [undefined];
    const size = sizeOf(x.shape);
    // A window of NaN has no place; its cotangent is NaN already, wherever it goes.
    const places = maximum(reshape(apply1(maxPlaceOp, [x], attrs), [sizeOf(ct.shape)]), 0);
    return [reshape(scatterAdd(full([size], 0, ct.dtype), places, reshape(ct, [sizeOf(ct.shape)]), 0), x.shape)];
  },
};

/**
 * Where each window has its first maximum: positions in x read in C order, int64. ONNX Runtime's search costs 13x the pooling itself, so it is left
 * to the backward pass, where it is several times faster than comparing every tap with the maximum.
 */
const maxPlaceOp: Op<Window> = {
  name: 'maxPlace',
  infer: (window, x) => [{ dtype: 'int64', shape: [...x.shape.slice(0, 2), ...windowExtents(x.shape.slice(2), window)] }],
  lower: (g, [x], { attrs }) => [g.nodeWith(2, 'MaxPool', [x], onnxWindow(attrs))[1]],
  vjp: zero,
};

/** Mean of each window, padding counted as zeros: a linear map whose transpose is again one of its kind. */
const averagePoolOp: Op<Window> = {
  name: 'averagePool',
  infer: (window, x) => {
    rule(x.dtype === 'float32' || x.dtype === 'float64', `needs a floating type, got ${x.dtype}`);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...windowExtents(x.shape.slice(2), window)] }];
  },
  lower: (g, [x], { attrs, inputs: [{ dtype, shape }], outputs: [y] }) => {
    if (dtype === 'float32') return [g.node('AveragePool', [x], { ...onnxWindow(attrs), count_include_pad: { int: 1 } })];
    // ONNX Runtime's kernel knows float32 only.
    const weight = zeros([shape[1], 1, ...attrs.kernel], 'float64');
    weight.data.fill(1 / sizeOf(attrs.kernel));
    return [lowerConvFloat64(g, [x, g.constant(weight)], [shape, weight.shape, y.shape], attrs, shape[1])];
  },
  // Each x receives the mean of the cotangents of the windows that read it: with zeros between the cotangents of a strided
  // pooling, that is the pooling of stride 1.
  vjp: ([ct], { attrs: { kernel, stride, before }, inputs: [x] }) => {
    if (!ct) return [undefined];
    const tiles = kernel.every((k, i) => k === stride[i] && before[i] === 0 && x.shape[i + 2] === k * ct.shape[i + 2]);
    if (tiles) return [tiled(ct, kernel)];
    let spread = ct;
    for (const [i, k] of kernel.entries()) {
      const wide = insertZeros(spread, i + 2, stride[i]);
      const lead = k - 1 - before[i];
      spread = padOrCrop(wide, i + 2, lead, x.shape[i + 2] + k - 1 - lead - wide.shape[i + 2]);
    }
    const [one, none] = [kernel.map(() => 1), kernel.map(() => 0)];
    return [apply1(averagePoolOp, [spread], { kernel, stride: one, dilation: one, before: none, after: none })];
  },
};

/** The transpose of averaging windows that tile x: each element spread evenly over its window. */
function tiled(ct: Tensor, kernel: readonly number[]): Tensor {
  const lead = ct.shape.slice(0, 2);
  const [narrow, wide] = [[...lead], [...lead]];
  for (const [i, k] of kernel.entries()) {
    narrow.push(ct.shape[i + 2], 1);
    wide.push(ct.shape[i + 2], k);
  }
  const copies = broadcastTo(reshape(mul(ct, 1 / sizeOf(kernel)), narrow), wide);
  return reshape(copies, [...lead, ...kernel.map((k, i) => k * ct.shape[i + 2])]);
}

function windowOf(name: string, rank: number, x: Tensor, kernel: PerAxis, { stride = kernel, padding = 0 }: PoolOptions): Window {
  rule(x.rank === rank + 2, `${name}: x needs ${rank + 2} axes [batch, channels, …], got ${x.rank}`);
  const window = {
    kernel: perAxis(`${name}: kernel`, kernel, rank, 1),
    stride: perAxis(`${name}: stride`, stride, rank, 1),
    dilation: Array.from({ length: rank }, () => 1),
    ...paddingOf(padding, rank),
  };
  const fits = (amounts: readonly number[]) => amounts.every((amount, i) => 2 * amount <= window.kernel[i]);
  rule(fits(window.before) && fits(window.after), `${name}: padding must be at most half the kernel [${window.kernel}]`);
  return window;
}

/** How many elements of x each window holds, as `[1, 1, …]`. */
function counts(spatial: readonly number[], extents: readonly number[], { kernel, stride, before }: Window): NDArray<'float64'> {
  const along = spatial.map((extent, i) =>
    Array.from({ length: extents[i] }, (_, j) => {
      const start = j * stride[i] - before[i];
      return Math.min(extent, start + kernel[i]) - Math.max(0, start);
    }),
  );
  const products = combinations(extents).map(at => at.reduce((product, j, i) => product * along[i][j], 1));
  return ndarray('float64', [1, 1, ...extents], Float64Array.from(products));
}

function averagePool(name: string, rank: number, x: Tensor, kernel: PerAxis, options: AveragePoolOptions): Tensor {
  const window = windowOf(name, rank, x, kernel, options);
  const y = apply1(averagePoolOp, [x], window);
  if (options.countIncludePad !== false || [...window.before, ...window.after].every(amount => amount === 0)) return y;
  const held = counts(x.shape.slice(2), y.shape.slice(2), window);
  const factor = ndarray(
    'float64',
    held.shape,
    held.data.map(n => sizeOf(window.kernel) / n),
  );
  return mul(y, cast(constant(factor), y.dtype));
}

/**
 * Largest element of each window: `[B, C, T] -> [B, C, T']`. Padding never wins; on ties the first element takes the gradient.
 * @throws ShapeError
 */
export function maxPool1d(x: Tensor, kernel: PerAxis, options: PoolOptions = {}): Tensor {
  return apply1(maxPoolOp, [x], windowOf('maxPool1d', 1, x, kernel, options));
}

/** As {@link maxPool1d} over two axes: `[B, C, H, W] -> [B, C, H', W']`; "first" is row by row. @throws ShapeError */
export function maxPool2d(x: Tensor, kernel: PerAxis, options: PoolOptions = {}): Tensor {
  return apply1(maxPoolOp, [x], windowOf('maxPool2d', 2, x, kernel, options));
}

/** Mean of each window: `[B, C, T] -> [B, C, T']`. @throws ShapeError */
export function averagePool1d(x: Tensor, kernel: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return averagePool('averagePool1d', 1, x, kernel, options);
}

/** Mean of each window: `[B, C, H, W] -> [B, C, H', W']`. @throws ShapeError */
export function averagePool2d(x: Tensor, kernel: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return averagePool('averagePool2d', 2, x, kernel, options);
}

/** Mean over all spatial axes: `[B, C, …] -> [B, C]`. @throws ShapeError if there is none. */
export function globalAveragePool(x: Tensor): Tensor {
  rule(x.rank > 2, `globalAveragePool: x needs axes [batch, channels, …], got ${x.rank}`);
  return mean(
    x,
    x.shape.slice(2).map((_, i) => i + 2),
  );
}
