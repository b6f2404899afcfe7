/** Mean and standard deviation in float32, in NumPy's order of summation: what published tools averaged in. */

const f32 = Math.fround;

/**
 * The sum in float32 as NumPy forms it for at most 128 contiguous values: eight running sums, joined in pairs, then the rest.
 * @throws RangeError for more values
 */
function float32Sum(values: readonly number[]): number {
  if (values.length > 128) throw new RangeError(`float32Sum: expected at most 128 values, got ${values.length}`);
  const whole = values.length - (values.length % 8);
  let sum = 0;
  if (whole > 0) {
    const sums = values.slice(0, 8).map(f32);
    for (let i = 8; i < whole; i++) sums[i % 8] = f32(sums[i % 8] + f32(values[i]));
    const pairs = [0, 2, 4, 6].map(i => f32(sums[i] + sums[i + 1]));
    sum = f32(f32(pairs[0] + pairs[1]) + f32(pairs[2] + pairs[3]));
  }
  for (let i = whole; i < values.length; i++) sum = f32(sum + f32(values[i]));
  return sum;
}

/** The mean in float32. @throws RangeError for more than 128 values */
export function float32Mean(values: readonly number[]): number {
  return f32(float32Sum(values) / values.length);
}

/** The standard deviation (divisor N) in float32. @throws RangeError for more than 128 values */
export function float32Deviation(values: readonly number[]): number {
  const mean = float32Mean(values);
  const squares = values.map(value => {
    const difference = f32(f32(value) - mean);
    return f32(difference * difference);
  });
  return f32(Math.sqrt(f32(float32Sum(squares) / values.length)));
}
