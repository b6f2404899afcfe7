import { describe, expect, it } from 'vitest';
import { compareStructure, type ReferenceCase } from './case.ts';
import { check } from './compare.ts';
import { toleranceOf } from './tolerance.ts';

const stub = { tolerance: () => ({ rtol: 0.1, atol: 0.01 }) } as unknown as ReferenceCase;
const verdict = (got: number[], want: number[], tolerance?: { rtol: number; atol: number; relativeToMax?: number }) =>
  check(stub, { key: 'out.x', got, want, tolerance });

describe('check', () => {
  it('allows atol + rtol * |want|', () => {
    const near = verdict([-2.2], [-2]);
    expect(near.pass).toBe(true);
    expect(near.allowed).toBeCloseTo(0.21, 12);
    expect(verdict([-2.22], [-2])).toMatchObject({ pass: false });
    expect(verdict([0.02], [0])).toMatchObject({ pass: false, error: 0.02, allowed: 0.01 });
  });

  it('reports the element worst relative to its bound', () => {
    const result = verdict([101, 1.1], [100, 1]);
    expect(result.pass).toBe(true);
    expect(result.error).toBeCloseTo(0.1, 12);
    expect(result.ratio).toBeCloseTo(0.1 / 0.11, 12);
  });

  it('treats NaN and infinities as equal to themselves only', () => {
    expect(verdict([Number.NaN, Infinity, -Infinity], [Number.NaN, Infinity, -Infinity]).pass).toBe(true);
    expect(verdict([Infinity], [-Infinity]).pass).toBe(false);
    expect(verdict([1], [Infinity]).pass).toBe(false);
    expect(verdict([Number.NaN], [1]).pass).toBe(false);
    expect(verdict([1], [Number.NaN]).pass).toBe(false);
    expect(verdict([Number.NaN, 1], [1, 1]).pass).toBe(false);
  });

  it('fails any error where none is allowed, and a failure outranks a near pass', () => {
    const exact = { rtol: 0, atol: 0 };
    expect(verdict([1, 2], [1, 2], exact).pass).toBe(true);
    expect(verdict([1, 2 + 1e-15], [1, 2], exact).pass).toBe(false);
    expect(verdict([1.0999, Number.NaN, 1.0999], [1, 1, 1]).pass).toBe(false);
  });

  it('bounds by the largest value where the manifest says so', () => {
    expect(verdict([0.9, 100], [0, 100], { rtol: 0, atol: 0, relativeToMax: 0.01 }).pass).toBe(true);
    expect(verdict([1.1, 100], [0, 100], { rtol: 0, atol: 0, relativeToMax: 0.01 }).pass).toBe(false);
  });

  it('fails different lengths and shapes', () => {
    expect(verdict([1], [1, 2]).problem).toBe('1 values, expected 2');
    const shaped = check(stub, { key: 'x', got: [1, 2], want: [1, 2], gotShape: [2], wantShape: [2, 1] });
    expect(shaped).toMatchObject({ pass: false, problem: 'shape [2], expected [2, 1]' });
  });
});

describe('compareStructure', () => {
  it('collects numbers and demands the rest equal', () => {
    expect(compareStructure('json', { a: [1, { b: 2 }], s: 'x' }, { a: [1, { b: 3 }], s: 'x' })).toEqual({
      key: 'json',
      got: [1, 2],
      want: [1, 3],
    });
    expect(() => compareStructure('json', { s: ['x'] }, { s: ['y'] })).toThrow('json.s[0]: expected "y", got "x"');
    expect(() => compareStructure('json', [1], [1, 2])).toThrow('json: expected [1,2], got [1]');
    expect(() => compareStructure('json', { a: 1 }, {})).toThrow('json.a: expected nothing, got 1');
  });
});

describe('toleranceOf', () => {
  it('prefers the longest matching pattern, then default', () => {
    const entry = { default: { rtol: 1, atol: 0 }, 'grad.*': { rtol: 2, atol: 0 }, 'grad.x.*': { rtol: 3, atol: 0 } };
    expect(toleranceOf(entry, 'out.y').rtol).toBe(1);
    expect(toleranceOf(entry, 'grad.y').rtol).toBe(2);
    expect(toleranceOf(entry, 'grad.x.y').rtol).toBe(3);
  });

  it.each([
    [{ abs: 1e-6, rel: 1e-4 }, undefined, { rtol: 1e-4, atol: 1e-6 }],
    [{ abs: 1e-12 }, undefined, { rtol: 0, atol: 1e-12 }],
    [{ exact: true }, undefined, { rtol: 0, atol: 0 }],
    [{ rtol: 1, atol: 2, f64_rtol: 3, f64_atol: 4 }, undefined, { rtol: 1, atol: 2 }],
    [{ rtol: 1, atol: 2, f64_rtol: 3, f64_atol: 4 }, 'float64', { rtol: 3, atol: 4, precision: 'float64' }],
    [{ float64: { rtol: 1, atol: 2 } }, undefined, { rtol: 1, atol: 2, precision: 'float64' }],
    [{ float64: { rtol: 1 }, float32: { rtol: 2 } }, undefined, { rtol: 2, atol: 0, precision: 'float32' }],
    [{ float64: { rtol: 1 }, float32: { rtol: 2 } }, 'float64', { rtol: 1, atol: 0, precision: 'float64' }],
    [{ float32: { x: { rel_to_max: 0.01 } } }, undefined, { rtol: 0, atol: 0, relativeToMax: 0.01, precision: 'float32' }],
    [{ abs: 1, x: 'exact' }, undefined, { rtol: 0, atol: 0 }],
  ] as const)('reads %j at precision %s', (entry, precision, want) => {
    expect(toleranceOf(entry, 'out_x', precision)).toEqual(want);
  });

  it('has no default of its own', () => {
    expect(() => toleranceOf({ detections: { atol: 1 } }, 'out.x')).toThrow('no bound for "out.x"');
    expect(() => toleranceOf(undefined, 'out.x')).toThrow('no bound for "out.x"');
  });
});
