/** Lists of thresholds made by float stepping, and how they are written. */

/**
 * `start, start + step, ..., last` in the exact doubles of the published lists, which differ from the decimal literals in their
 * last bits (0.1 : 0.1 : 0.9 holds 0.30000000000000004): value i is `start + i * ((start + step) - start)`, the rule of NumPy's
 * `arange`. `last` is included when it lies on the grid (within a millionth of a step).
 * @throws RangeError if the step is not positive, `last` lies before `start` or a number is not finite.
 */
export function steppedThresholds(start: number, last: number, step: number): number[] {
  if (!Number.isFinite(start) || !Number.isFinite(last) || !(step > 0) || last < start) {
    throw new RangeError(`steppedThresholds: expected start <= last and step > 0, got ${start}:${step}:${last}`);
  }
  const count = Math.floor((last - start) / step + 1e-6) + 1;
  if (!(count <= 10_000)) {
    throw new RangeError(`steppedThresholds: expected at most 10000 thresholds, got ${count} from ${start}:${step}:${last}`);
  }
  const delta = start + step - start;
  return Array.from({ length: count }, (_, i) => start + i * delta);
}

/**
 * Thresholds from text, ascending: `0.5`, a comma list `0.3,0.5,0.7`, or `start:step:last` with `last` included, e.g. `0.1:0.1:0.7`.
 * @throws RangeError naming the text if it is none of these or a value is outside (0, 1].
 */
export function parseThresholds(text: string): number[] {
  const fail = (): never => {
    throw new RangeError(`expected thresholds in (0, 1] as 0.5, 0.3,0.5 or start:step:last (0.1:0.1:0.7), found "${text}"`);
  };
  const number = (part: string): number => (/^\s*\d*\.?\d+\s*$/.test(part) ? Number(part) : fail());
  const range = text.split(':');
  if (range.length !== 1 && range.length !== 3) fail();
  const numbers = range.length === 3 ? range.map(number) : text.split(',').map(number);
  if (range.length === 3 && (!(numbers[1] > 0) || numbers[2] < numbers[0])) fail();
  const thresholds = range.length === 3 ? steppedThresholds(numbers[0], numbers[2], numbers[1]) : numbers;
  // Stepping may end a few bits above 1; the range check must not turn 0.1:0.1:1 away.
  return thresholds.every(t => t > 0 && t <= 1 + 1e-9) ? [...new Set(thresholds)].sort((a, b) => a - b) : fail();
}

/** A threshold as it is written in names and keys: `0.30000000000000004` is `0.3`, and 1 is `1.0` (a key `1` would sort first in JSON). */
export function thresholdName(threshold: number): string {
  const text = String(Number(threshold.toFixed(6)));
  return text.includes('.') ? text : `${text}.0`;
}

/** The name of a list of thresholds: `0.1:0.7` for its first and last, `0.5` for a single one. */
export function rangeName(thresholds: readonly number[]): string {
  const first = thresholdName(thresholds[0]);
  return thresholds.length === 1 ? first : `${first}:${thresholdName(thresholds[thresholds.length - 1])}`;
}
