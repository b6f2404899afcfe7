import { describe, expect, it } from 'vitest';
import { curveLetter, plot } from '../../src/cli/plot.ts';

const format = (y: number): string => y.toFixed(1);
const points = (...ys: number[]): { points: [number, number][] } => ({ points: ys.map((y, i) => [i + 1, y]) });

describe('a picture', () => {
  it('of one curve is a line of dots', () => {
    expect(plot([points(0, 1)], { width: 13, height: 2, format })).toEqual([
      '1.0 ┤    ⣀⠤⠒⠉',
      '0.0 ┤⣀⠤⠒⠉',
      '    └────────',
      '     epoch 12',
    ]);
  });

  it('of several is made of their letters, with a star where they meet', () => {
    expect(plot([points(0, 4, 4), points(4, 0, 4)], { width: 16, height: 5, format })).toEqual([
      '4.0 ┤b    aaaaa*',
      '    │ b  a    b',
      '2.0 ┤  **   bb',
      '    │ a  b b',
      '0.0 ┤a    b',
      '    └───────────',
      '     epoch 1   3',
    ]);
  });

  it('leaves out what is not finite, and ends a shorter curve where it ends', () => {
    const [first, ...rest] = plot([points(1, Number.NaN, 1, 1), points(2, 2)], { width: 16, height: 2, format });
    expect([first, rest[0]]).toEqual(['2.0 ┤bbbb', '1.0 ┤aaaaaaaaaaa']);
  });

  it('of a constant, or a single point, has room around it', () => {
    const rows = plot([points(0.5)], { width: 20, height: 3, format: y => y.toFixed(2) });
    expect(rows.map(row => row.slice(0, 6))).toEqual(['0.55 ┤', '0.50 ┤⠒'.slice(0, 6), '0.45 ┤', '     └', '      ']);
    expect(rows.join('')).toMatch(/[\u2801-\u28ff]/);
    expect(rows.at(-1)).toBe('      epoch 1');
  });

  it('is as wide as it is told, and nothing without a point', () => {
    for (const width of [40, 80, 133]) {
      const rows = plot([points(...Array.from({ length: 500 }, (_, i) => Math.sin(i / 40))), points(0, 1)], { width, format });
      expect(Math.max(...rows.map(row => row.length))).toBe(width);
      expect(rows).toHaveLength(13);
    }
    expect(plot([points(), points(Number.NaN)], { width: 80, format })).toEqual([]);
  });

  it('has colours where it is asked to, around the same letters', () => {
    const curves = [points(0, 1), points(1, 0)];
    const colored = plot(curves, { width: 30, format, color: true }).join('\n');
    expect(colored).toContain('\x1b[36ma\x1b[0m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are made of them
    expect(colored.replace(/\x1b\[\d+m/g, '')).toBe(plot(curves, { width: 30, format }).join('\n'));
  });
});

it('curves are named a to z, then A to Z', () => {
  expect([0, 25, 26, 51, 52].map(curveLetter).join('')).toBe('azAZa');
});
