import { expect, test } from 'vitest';
import { alignmentPlot } from '../../src/report/alignmentPlot.ts';

const plot = (distances: number[], weights: number[]) =>
  alignmentPlot({
    ...{ title: 'a <b>', query: 'query', support: 'support & co', distances, weights, rows: 2, columns: 3 },
    circles: 'circles: what counts',
  });

test('cells are as full as frames are near, circles as large as pairs count', () => {
  const svg = plot([0.5, 0.1, 0.3, 0.2, 0.4, 0.5], [0, 1, 0, 0.25, 0, 0]);
  const cells = [
    ...svg.matchAll(/<rect class="cell" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill-opacity="([\d.]+)"/g),
  ];
  // 560 x 300 pixels from (64, 40); the first row is at the bottom.
  expect(cells.map(([, ...numbers]) => numbers.map(Number))).toEqual([
    [64, 190, 186.67, 150, 0],
    [250.67, 190, 186.67, 150, 0.85],
    [437.33, 190, 186.67, 150, 0.42],
    [64, 40, 186.67, 150, 0.64],
    [250.67, 40, 186.67, 150, 0.21],
    [437.33, 40, 186.67, 150, 0],
  ]);
  const circles = [...svg.matchAll(/<circle class="pair" cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"/g)];
  expect(circles.map(([, ...numbers]) => numbers.map(Number))).toEqual([
    [344, 265, 51],
    [157.33, 115, 25.5],
  ]);
  expect(svg).toContain('a &lt;b&gt;');
  expect(svg).toContain('support &amp; co');
  expect(svg).toContain('distance 0.500 (empty) to 0.100 (full)');
  expect(svg).toContain('circles: what counts');
  expect(svg).toContain('@media(prefers-color-scheme:dark){.cell');
});

test('equal distances, and weights of nothing, are drawn too', () => {
  const svg = plot([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0, 0, 0]);
  expect(svg).not.toContain('NaN');
  expect(svg.match(/fill-opacity="0.85"/g)).toHaveLength(6);
  expect(svg).not.toContain('<circle');
});
