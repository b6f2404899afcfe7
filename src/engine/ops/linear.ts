import { type Shape, sizeOf } from '../ndarray.ts';
import { apply1, broadcastShapes, type Op, rule } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import { sumTo } from './broadcast.ts';
import { addBias } from './elementwise.ts';
import { reshape } from './shape.ts';
import { concat } from './slice.ts';

interface MatmulAttrs {
  /** Read a as its transpose (last two axes). */
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

const swapped = (shape: Shape, swap: boolean): readonly [number, number] => {
  const [rows, columns] = shape.slice(-2);
  return swap ? [columns, rows] : [rows, columns];
};

const matmulOp: Op<MatmulAttrs> = {
  name: 'matmul',
  infer: ({ transposeA, transposeB }, a, b) => {
    rule(a.dtype === b.dtype, `element types ${a.dtype} and ${b.dtype} differ; cast one`);
    rule(a.shape.length >= 2 && b.shape.length >= 2, 'both operands need at least two axes');
    const [m, k] = swapped(a.shape, transposeA);
    const [k2, n] = swapped(b.shape, transposeB);
    rule(k === k2, `inner extents ${k} and ${k2} differ`);
    return [{ dtype: a.dtype, shape: [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n] }];
  },
  lower: (g, [a, b], { attrs, inputs: [x, y], outputs: [z] }) => {
    // A sum of no terms; ONNX Runtime 1.30 leaves the memory of some such products as it found it.
    if (sizeOf(x.shape) === 0) return [g.node('Expand', [g.scalar(0, z.dtype), g.ints(z.shape)])];
    if (x.rank === 2 && y.rank === 2) {
      return [g.node('Gemm', [a, b], { transA: { int: attrs.transposeA ? 1 : 0 }, transB: { int: attrs.transposeB ? 1 : 0 } })];
    }
    // ONNX Runtime fuses a transpose of the last two axes into the product.
    const flip = (name: string, rank: number) => {
      const axes = Array.from({ length: rank }, (_, i) => i);
      return g.transpose(name, [...axes.slice(0, -2), rank - 1, rank - 2]);
    };
    return [g.node('MatMul', [attrs.transposeA ? flip(a, x.rank) : a, attrs.transposeB ? flip(b, y.rank) : b])];
  },
  // C = A B:  dA = dC B^T,  dB = A^T dC, each summed over the axes it was broadcast along
  vjp: ([ct], { attrs: { transposeA, transposeB }, inputs: [a, b] }) => {
    if (!ct) return [undefined, undefined];
    const da = transposeA
      ? matmul(b, ct, { transposeA: transposeB, transposeB: true })
      : matmul(ct, b, { transposeA: false, transposeB: !transposeB });
    let db: Tensor;
    if (b.rank === 2 && a.rank > 2 && !transposeA) {
      // One product over all rows instead of one a batch and a sum.
      const rows = reshape(a, [-1, a.shape[a.rank - 1]]);
      const cts = reshape(ct, [-1, ct.shape[ct.rank - 1]]);
      db = transposeB
        ? matmul(cts, rows, { transposeA: true, transposeB: false })
        : matmul(rows, cts, { transposeA: true, transposeB: false });
    } else {
      db = transposeB
        ? matmul(ct, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, ct, { transposeA: !transposeA, transposeB: false });
    }
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },
};

/** Matrix product over the last two axes; leading axes broadcast. `[…, m, k] x […, k, n] -> […, m, n]`. */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: Partial<MatmulAttrs> = {}): Tensor {
  if (b.rank === 2 && a.rank > 2 && !transposeA) {
    // Rows of all batches at once: one large product is faster than many small ones.
    const flat = apply1(matmulOp, [reshape(a, [sizeOf(a.shape.slice(0, -1)), a.shape[a.rank - 1]]), b], {
      transposeA,
      transposeB,
    });
    return reshape(flat, [...a.shape.slice(0, -1), flat.shape[1]]);
  }
  return apply1(matmulOp, [a, b], { transposeA, transposeB });
}

/** y = x W^T + b, PyTorch's layout: x `[…, in]`, weight `[out, in]`, bias `[out]`. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const y =
    x.rank === 1
      ? reshape(matmul(reshape(x, [1, -1]), weight, { transposeB: true }), [-1])
      : matmul(x, weight, { transposeB: true });
  return bias ? addBias(y, bias) : y;
}

/**
 * a + b for two products of the same form: A1'B1 + A2'B2 is one product of the factors side by side, with one pass over a large result
 * instead of three. Undefined where they are no such products, or their inner extents are not small beside the result.
 */
export function sumOfProducts(a: Tensor, b: Tensor): Tensor | undefined {
  const [p, q] = [a.node, b.node];
  if (p.op !== (matmulOp as Op) || q.op !== (matmulOp as Op)) return undefined;
  const { transposeA, transposeB } = p.attrs as MatmulAttrs;
  const other = q.attrs as MatmulAttrs;
  if (transposeA !== other.transposeA || transposeB !== other.transposeB) return undefined;
  const axisA = transposeA ? -2 : -1;
  const axisB = transposeB ? -1 : -2;
  const fits = [0, 1].every(i => {
    const [x, y] = [p.inputs[i].shape, q.inputs[i].shape];
    const joined = x.length + (i === 0 ? axisA : axisB);
    return x.length === y.length && x.every((extent, axis) => axis === joined || extent === y[axis]);
  });
  if (!fits) return undefined;
  const inner = [p, q].reduce((total, { inputs: [x] }) => total + x.shape[x.rank + axisA], 0);
  if (inner * 8 > Math.min(a.shape[a.rank - 1], a.shape[a.rank - 2])) return undefined;
  return matmul(concat([p.inputs[0], q.inputs[0]], axisA), concat([p.inputs[1], q.inputs[1]], axisB), { transposeA, transposeB });
}
