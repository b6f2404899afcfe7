import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Extent, extentFinder, extentText, maxDivisor } from '../../src/engine/extent.ts';

const axes = ['batch', 'time'];
const sizes = Array.from({ length: 6 * maxDivisor }, (_, s) => ({
  batch: 128 + (s % (2 * maxDivisor)),
  time: 128 + ((5 * s + Math.floor(s / (2 * maxDivisor))) % (2 * maxDivisor)),
}));
const find = extentFinder(axes, sizes);
const textOf = (f: (batch: number, time: number) => number): string =>
  extentText(find(sizes.map(({ batch, time }) => f(batch, time))) as Extent);

describe('formulas of open axes', () => {
  it('are found from values at samples, the simplest first', () => {
    expect(textOf(() => 7)).toBe('7');
    expect(textOf((_, t) => t)).toBe('time');
    expect(textOf((b, t) => b * t)).toBe('batch*time');
    expect(textOf((b, t) => 3 * b * t - 2)).toBe('3*batch*time-2');
    expect(textOf((_, t) => Math.floor(t / 8))).toBe('max(floor(time/8),1)');
    expect(textOf((_, t) => Math.ceil(t / 2))).toBe('max(floor((time+1)/2),1)');
    // What Winograd's convolution pads by: 1 for an even number of snippets, 2 for an odd one.
    expect(textOf((_, t) => 2 * Math.ceil(t / 2) + 1 - t)).toBe('2*max(floor((time+1)/2),1)-time+1');
    expect(textOf((b, t) => b * Math.ceil(t / 2))).toBe('batch*max(floor((time+1)/2),1)');
  });

  it('are right at every size, for any quotient in the family', () => {
    const anyQuotient = fc.record({
      divisor: fc.integer({ min: 2, max: maxDivisor }),
      add: fc.nat(maxDivisor - 1),
      coefficient: fc.integer({ min: 1, max: 5 }),
      offset: fc.integer({ min: -3, max: 3 }),
    });
    fc.assert(
      fc.property(anyQuotient, ({ divisor, add, coefficient, offset }) => {
        fc.pre(add < divisor);
        const value = (time: number): number => coefficient * Math.max(Math.floor((time + add) / divisor), 1) + offset;
        const found = find(sizes.map(({ time }) => value(time))) as Extent;
        const [term] = found.terms;
        expect(found.terms).toHaveLength(1);
        expect(term.coefficient).toBe(coefficient);
        const [quotient] = term.basis;
        // Equal at every size, so the same quotient.
        expect(quotient).toEqual({ axis: 'time', add, divisor });
        expect(found.offset).toBe(offset);
      }),
      { numRuns: 200 },
    );
  });

  it('come from the samples whose value is known', () => {
    expect(extentText(find(sizes.map(({ time }) => (time % 2 === 1 ? time : undefined))) as Extent)).toBe('time');
  });

  it('are not made up where nothing fits', () => {
    expect(find(sizes.map(({ time }) => time * time))).toBeUndefined();
    expect(find(sizes.map(({ time }) => (time === sizes[5].time ? time + 1 : time)))).toBeUndefined();
  });
});
