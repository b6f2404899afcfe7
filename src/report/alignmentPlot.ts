/** How the frames of two sequences match, as a picture. */
import { type Axis, svgPlot } from './svg.ts';

/** Two sequences and what lies between them. */
export interface Alignment {
  readonly title: string;
  /** What the sequences are called. */
  readonly query: string;
  readonly support: string;
  /** Distances of the frames `[rows, columns]`, rows: the query's. */
  readonly distances: ArrayLike<number>;
  /** How much each pair counts. */
  readonly weights: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  /** A line below the picture: what the circles are. */
  readonly circles: string;
}

/** Largest radius of a circle, as a part of the smaller side of a cell. */
const largestCircle = 0.34;

/**
 * An SVG document: a cell for each pair of frames, the darker the nearer they are, and circles whose areas say how much the pair counts; the first
 * frames are at the bottom left, so equal speed is a rising line.
 */
export function alignmentPlot({ title, query, support, distances, weights, rows, columns, circles }: Alignment): string {
  const all = Array.from(distances);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const most = Math.max(...Array.from(weights));
  const axis = (name: string, frames: number): Axis => {
    const every = Math.ceil(frames / 16);
    const ticks = Array.from({ length: Math.ceil(frames / every) }, (_, i) => ({
      at: i * every + 0.5,
      text: String(i * every + 1),
    }));
    return { title: name, range: [0, frames], ticks };
  };
  const legend = [`the fuller a cell, the nearer its frames: distance ${number(high)} (empty) to ${number(low)} (full)`, circles];
  const frame = { title, x: axis(support, columns), y: axis(query, rows), legend: [] };
  const notes = [
    '.cell{fill:#0072b2}',
    '.pair{fill:#d55e00;stroke:#fff;stroke-width:1}',
    '@media(prefers-color-scheme:dark){.cell{fill:#56b4e9}.pair{stroke:#161616}}',
  ];
  return svgPlot({ ...frame, notes: legend, style: notes.join('') }, scale => {
    const [width, height] = [scale.x(1) - scale.x(0), scale.y(0) - scale.y(1)];
    const cells = all.map((distance, i) => {
      const [a, b] = [Math.floor(i / columns), i % columns];
      const fullness = high > low ? (high - distance) / (high - low) : 1;
      const tip = `query frame ${a + 1}, support frame ${b + 1}: ${number(distance)}`;
      return `<rect class="cell" x="${scale.x(b)}" y="${scale.y(a + 1)}" width="${fixed(width)}" height="${fixed(height)}" fill-opacity="${fixed(0.85 * fullness)}"><title>${tip}</title></rect>`;
    });
    const pairs = Array.from(weights).flatMap((weight, i) => {
      const radius = largestCircle * Math.min(width, height) * Math.sqrt(weight / most);
      if (!(radius >= 0.5)) return [];
      return [
        `<circle class="pair" cx="${scale.x((i % columns) + 0.5)}" cy="${scale.y(Math.floor(i / columns) + 0.5)}" r="${fixed(radius)}"/>`,
      ];
    });
    return [...cells, ...pairs];
  });
}

const fixed = (value: number): string => String(Number(value.toFixed(2)));
const number = (value: number): string => value.toPrecision(3);
