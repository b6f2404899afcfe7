/** What commands print on standard output. */
import { padLeft, padRight, textWidth } from './textWidth.ts';

/** Prints one JSON object. */
export function printJson(value: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints lines. */
export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

/** Rows of equally many cells in columns: the first to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => textWidth(row[column]))));
  return rows.map(row =>
    row
      .map((cell, column) => (column === 0 ? padRight(cell, widths[column]) : padLeft(cell, widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

/** A fraction in percent with two decimals. */
export function percent(fraction: number): string {
  return (100 * fraction).toFixed(2);
}
