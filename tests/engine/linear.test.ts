import fc from 'fast-check';
import { describe, it } from 'vitest';
import * as e from '../../src/engine/index.ts';
import { at, between, build, together } from './arrays.ts';
import { broadcastable, check, checkFloat32, holds } from './checks.ts';

describe('matmul', () => {
  const extent = fc.integer({ min: 1, max: 4 });
  const flags = fc.record({ transposeA: fc.boolean(), transposeB: fc.boolean() });
  it('broadcasts leading axes, reads either operand transposed', async () => {
    await holds(
      fc.record({ lead: broadcastable(), m: extent, k: fc.nat(4), n: extent, flags }),
      ({ lead: [la, lb], m, k, n, flags }, seed) => {
        const a = between(seed, [...la, ...(flags.transposeA ? [k, m] : [m, k])]);
        const b = between(seed + 1, [...lb, ...(flags.transposeB ? [n, k] : [k, n])]);
        const expected = build([...together(la, lb), m, n], p => {
          const [i, j] = p.slice(-2);
          let total = 0;
          for (let l = 0; l < k; l++) {
            const read = (x: e.NDArray, row: number, column: number, swap: boolean) =>
              at(x, [...p.slice(0, -2), ...(swap ? [column, row] : [row, column])]);
            total += read(a, i, l, flags.transposeA) * read(b, l, j, flags.transposeB);
          }
          return total;
        });
        return { inputs: [a, b], fn: (s, t) => e.matmul(s, t, flags), expected };
      },
      60,
    );
  });

  it('of inner extent 0 is 0', async () => {
    for (const lead of [[], [2]]) {
      for (const transposeA of [false, true]) {
        for (const transposeB of [false, true]) {
          const a = between(1, [...lead, ...(transposeA ? [0, 3] : [3, 0])]);
          const b = between(2, [...lead, ...(transposeB ? [4, 0] : [0, 4])]);
          await check({
            inputs: [a, b],
            fn: (s, t) => e.matmul(s, t, { transposeA, transposeB }),
            expected: build([...lead, 3, 4], () => 0),
          });
        }
      }
    }
  });

  it('linear is x W^T + b, for vectors and for any leading axes', async () => {
    for (const lead of [[], [3], [2, 3]]) {
      const [x, w, b] = [between(1, [...lead, 4]), between(2, [5, 4]), between(3, [5])];
      const expected = build([...lead, 5], p => {
        const o = p[p.length - 1];
        let total = at(b, [o]);
        for (let i = 0; i < 4; i++) total += at(x, [...p.slice(0, -1), i]) * at(w, [o, i]);
        return total;
      });
      await check({ inputs: [x, w, b], fn: (s, t, u) => e.linear(s, t, u), expected });
    }
  });
});

describe('temporalConv', () => {
  it('is a zero-padded convolution over time of channels-last sequences', async () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 2 }),
      time: fc.integer({ min: 1, max: 7 }),
      inputs: fc.integer({ min: 1, max: 3 }),
      outputs: fc.integer({ min: 1, max: 3 }),
      width: fc.constantFrom(1, 3, 5),
      dilation: fc.constantFrom(1, 2),
    });
    await holds(sizes, ({ batch, time, inputs, outputs, width, dilation }, seed) => {
      const [x, w, b] = [
        between(seed, [batch, time, inputs]),
        between(seed + 1, [outputs, inputs, width]),
        between(seed + 2, [outputs]),
      ];
      const expected = build([batch, time, outputs], ([n, t, o]) => {
        let total = at(b, [o]);
        for (let k = 0; k < width; k++) {
          const from = t + (k - (width - 1) / 2) * dilation;
          if (from < 0 || from >= time) continue;
          for (let c = 0; c < inputs; c++) total += at(x, [n, from, c]) * at(w, [o, c, k]);
        }
        return total;
      });
      return { inputs: [x, w, b], fn: (s, t, u) => e.temporalConv(s, t, u, { dilation }), expected };
    });
  });

  it.each([7, 8])('its float32 form for wide layers agrees, values and gradients, at %i snippets', async time => {
    const scale = 1 / 16;
    const [x, w, b] = [between(1, [2, time, 256]), between(2, [256, 256, 3], -scale, scale), between(3, [256])];
    await checkFloat32((s, t, u) => e.temporalConv(s, t, u), [x, w, b], [2, time, 256]);
  });
});
