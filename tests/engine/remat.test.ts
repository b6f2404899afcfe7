import { describe, expect, it } from 'vitest';
import { add, cast, compile, exp, linear, mul, ndarray, remat, sum, type Tensor, valueAndGrad } from '../../src/engine/index.ts';
import { between } from './arrays.ts';

const x = between(1, [3, 4]);
const w = between(2, [2, 4]);
const mask = ndarray(
  'uint8',
  [3, 4],
  Uint8Array.from({ length: 12 }, (_, i) => i % 2),
);

describe('remat', () => {
  const body = (a: Tensor, b: Tensor, m: Tensor) => linear(exp(mul(a, cast(m, 'float64'))), b);
  const loss = (f: typeof body) =>
    compile((a: Tensor, b: Tensor, m: Tensor) =>
      valueAndGrad((p: { a: Tensor; b: Tensor }) => {
        const y = f(p.a, p.b, m);
        return add(sum(mul(y, y)), sum(p.a));
      })({ a, b }),
    );

  it('gives the same value and the same gradients', async () => {
    const [plain, again] = [loss(body), loss(remat(body))];
    expect(await again(x, w, mask)).toEqual(await plain(x, w, mask));
  });

  it('computes the inside a second time, after the cotangent', () => {
    const count = (text: string, op: string) => text.split('\n').filter(line => line.includes(`= ${op}(`)).length;
    const [plain, again] = [loss(body), loss(remat(body))].map(f => f.print(x, w, mask));
    expect([count(plain, 'exp'), count(again, 'exp')]).toEqual([1, 2]);
    expect(count(again, 'after')).toBe(3);
    expect(count(plain, 'after')).toBe(0);
  });

  it('keeps gradients right through NaN and infinite cotangents', async () => {
    const f = compile((a: Tensor) =>
      valueAndGrad((p: Tensor) => sum(mul(remat((t: Tensor) => exp(t))(p), Number.POSITIVE_INFINITY)))(a),
    );
    const [value, gradient] = await f(x);
    expect(value.data[0]).toBe(Number.POSITIVE_INFINITY);
    expect([...(gradient.data as Float64Array)].every(v => v === Number.POSITIVE_INFINITY)).toBe(true);
  });

  it('needs an argument', () => {
    expect(() => remat(() => undefined as never)()).toThrow('at least one argument');
  });
});
