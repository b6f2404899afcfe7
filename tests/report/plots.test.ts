import { describe, expect, it } from 'vitest';
import { histogramBins, histogramPlot } from '../../src/report/histogramPlot.ts';
import { linePlot } from '../../src/report/linePlot.ts';
import { escapeXml, roundTicks } from '../../src/report/svg.ts';

describe('SVG plots', () => {
  it('escape what XML cannot hold', () => {
    expect(escapeXml('a<b> & "c"\u0000\ud800\t😀')).toBe('a&lt;b&gt; &amp; &quot;c&quot;??\t😀');
    expect(linePlot([{ name: '<x>', x: [0, 1], y: [2, 4] }], { title: 'a & b', xTitle: 'x', yTitle: 'y' })).toContain(
      '>&lt;x&gt;</text>',
    );
  });

  it('draw values where they are', () => {
    const svg = linePlot([{ name: 'a', x: [0, 0.5, 1], y: [2, 4, 3] }], { title: 't', xTitle: 'x', yTitle: 'y' });
    expect(svg).toContain('<path class="line s0" d="M64 340L344 40L624 190"/>');
    expect(() => linePlot([], { title: 't', xTitle: 'x', yTitle: 'y' })).toThrow('at least one point');
  });

  it('have round ticks inside the range', () => {
    expect(roundTicks([0, 1]).map(({ text }) => text)).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
    expect(roundTicks([-0.31, 0.12]).map(({ text }) => text)).toEqual(['-0.3', '-0.2', '-0.1', '0', '0.1']);
  });

  it('count all values, the far ones in the outer bins, on a logarithmic axis where they span powers of ten', () => {
    const linear = histogramBins([Array.from({ length: 1000 }, (_, i) => i), [-1e9, 1e9]]);
    expect(linear.logarithmic).toBe(false);
    for (const bars of linear.fractions) expect(bars.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
    expect([linear.fractions[1][0], linear.fractions[1][49]]).toEqual([0.5, 0.5]);
    const powers = histogramBins([[1e-30, 1e-20, 1e-10, 1]]);
    expect(powers.logarithmic).toBe(true);
    expect([powers.edges[0], powers.edges[50]]).toEqual([-30, 0]);
    expect(histogramBins([[0, 0], [0]]).fractions[1].indexOf(1)).toBe(25);
    expect(histogramPlot([{ name: 'k', values: powers.edges.map(e => 10 ** e) }], { title: 't', xTitle: 'u' })).toContain(
      'u (power of 10)',
    );
  });
});
