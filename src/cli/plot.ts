/** Curves drawn in characters. */

/** A curve to draw; values that are not finite are left out. */
export interface PlotCurve {
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  /** Columns of the whole picture. */
  readonly width: number;
  /** Rows of the picture without the axis below, at least 2. */
  readonly height?: number;
  /** How a value is written at the axis on the left. */
  readonly format: (y: number) => string;
  /** Colours for the letters of several curves (ANSI). */
  readonly color?: boolean;
}

/**
 * Draws curves over a common axis. One curve is a line of braille dots; several are lines of letters, `a` for the first, which can be
 * told apart without colours, and `*` where they meet. Nothing if no curve has a point.
 */
export function plot(curves: readonly PlotCurve[], { width, height = 11, format, color = false }: PlotOptions): string[] {
  const finite = curves.map(({ points }) => points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)));
  const all = finite.flat();
  if (all.length === 0) return [];
  const xs = extent(all.map(([x]) => x));
  const ys = widened(extent(all.map(([, y]) => y)));
  const labels = [ys[1], (ys[0] + ys[1]) / 2, ys[0]].map(format);
  const margin = Math.max(...labels.map(label => label.length));
  const columns = Math.max(8, width - margin - 2);
  const rows =
    finite.length === 1 ? brailleRows(finite[0], xs, ys, columns, height) : letterRows(finite, xs, ys, columns, height, color);
  // An even number of rows has none in the middle.
  const labelRows = new Map([
    [(height - 1) / 2, labels[1]],
    [height - 1, labels[2]],
    [0, labels[0]],
  ]);
  return [
    ...rows.map((row, i) => `${(labelRows.get(i) ?? '').padStart(margin)} ${labelRows.has(i) ? '┤' : '│'}${row}`.trimEnd()),
    `${' '.repeat(margin)} └${'─'.repeat(columns)}`,
    `${' '.repeat(margin + 2)}${xAxis(xs, columns)}`.trimEnd(),
  ];
}

/** The letter of a curve in {@link plot}: a-z, then A-Z, then over again. */
export function curveLetter(index: number): string {
  return 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'[index % 52];
}

/** A curve's letter in its colour. */
export function coloredLetter(index: number, color: boolean): string {
  return color ? `\x1b[${palette[index % palette.length]}m${curveLetter(index)}\x1b[0m` : curveLetter(index);
}

/** Cyan, yellow, magenta, green, blue, red. */
const palette = [36, 33, 35, 32, 34, 31] as const;

type Range = readonly [low: number, high: number];

function extent(values: readonly number[]): Range {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
}

/** A range with room in it where all values are the same. */
function widened([low, high]: Range): Range {
  if (high > low) return [low, high];
  const room = Math.abs(low) * 0.1 || 1;
  return [low - room, high + room];
}

/** Where a value lies among `count` places. */
function place(value: number, [low, high]: Range, count: number): number {
  return high === low ? 0 : Math.round(((value - low) / (high - low)) * (count - 1));
}

/** Bits of the dots of a braille character, by row and column. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** A polygonal line of dots, two by four to a character. */
function brailleRows(points: PlotCurve['points'], xs: Range, ys: Range, columns: number, height: number): string[] {
  const cells = Array.from({ length: height }, () => new Uint8Array(columns));
  const dot = (x: number, y: number): void => {
    const row = height * 4 - 1 - y;
    cells[row >> 2][x >> 1] |= dots[row & 3][x & 1];
  };
  const at = ([x, y]: readonly [number, number]) => [place(x, xs, columns * 2), place(y, ys, height * 4)] as const;
  let before = at(points[0]);
  for (const point of points) {
    const [x, y] = at(point);
    const steps = Math.max(1, Math.abs(x - before[0]), Math.abs(y - before[1]));
    for (let i = 0; i <= steps; i++) {
      dot(Math.round(before[0] + ((x - before[0]) * i) / steps), Math.round(before[1] + ((y - before[1]) * i) / steps));
    }
    before = [x, y];
  }
  return cells.map(row => [...row].map(bits => (bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits))).join(''));
}

/** A letter for each curve in each column that it passes through. */
function letterRows(
  curves: readonly PlotCurve['points'][],
  xs: Range,
  ys: Range,
  columns: number,
  height: number,
  color: boolean,
): string[] {
  const cells = Array.from({ length: height }, () => new Array<number | undefined>(columns).fill(undefined));
  const several = -1;
  for (const [index, points] of curves.entries()) {
    if (points.length === 0) continue;
    const [first, last] = extent(points.map(([x]) => place(x, xs, columns)));
    for (let column = first; column <= last; column++) {
      const row = height - 1 - place(valueAtColumn(points, column, xs, columns), ys, height);
      cells[row][column] = cells[row][column] === undefined ? index : several;
    }
  }
  const shown = (cell: number | undefined) => (cell === undefined ? ' ' : cell === several ? '*' : coloredLetter(cell, color));
  return cells.map(row => row.map(shown).join(''));
}

/** The mean of the points in a column; between points, the value on the line from one to the next. */
function valueAtColumn(points: PlotCurve['points'], column: number, xs: Range, columns: number): number {
  const within = points.filter(([x]) => place(x, xs, columns) === column);
  if (within.length > 0) return within.reduce((sum, [, y]) => sum + y, 0) / within.length;
  const after = points.findIndex(([x]) => place(x, xs, columns) > column);
  const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
  const x = xs[0] + (column / (columns - 1)) * (xs[1] - xs[0]);
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/** First, middle and last epoch below the axis. */
function xAxis([low, high]: Range, columns: number): string {
  const [first, last] = [`epoch ${low}`, String(high)];
  if (high === low) return first;
  const middle = String(Math.round((low + high) / 2));
  const half = Math.floor((columns - middle.length) / 2);
  const room = columns - last.length;
  if (half <= first.length || half + middle.length >= room) return first.padEnd(room) + last;
  return (first.padEnd(half) + middle).padEnd(room) + last;
}
