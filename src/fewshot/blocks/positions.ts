import { add, constant, fromNumbers, mul, type NDArray, reshape, ShapeError, slice, type Tensor } from '../../engine/index.ts';

/** Rows of the published table: no sequence may be longer. */
export const maxPositions = 20;

/**
 * HyRSM's positional table `[positions, width]`: for even i, P[p, i] = sin(p / 10000^(2i / width)) and P[p, i+1] = cos(p / 10000^(2(i+1) / width)). The
 * exponents grow twice as fast as in transformers and differ within a pair; published weights were trained with them.
 */
export function positionTable(width: number, positions = maxPositions): NDArray<'float64'> {
  return table(width, positions, (p, i) => (i % 2 === 0 ? Math.sin : Math.cos)(p / 10000 ** ((2 * i) / width)));
}

/**
 * TRX's table `[positions, width]`: the transformers' own, times 0.1. Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
 */
export function sinusoidTable(width: number, positions: number, scale = 0.1): NDArray<'float64'> {
  return table(width, positions, (p, i) => {
    const angle = p * Math.exp((-Math.log(10000) * (i - (i % 2))) / width);
    return scale * (i % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
  });
}

function table(width: number, positions: number, at: (position: number, channel: number) => number): NDArray<'float64'> {
  const values = Array.from({ length: positions * width }, (_, n) => at(Math.floor(n / width), n % width));
  return fromNumbers(values, [positions, width], 'float64');
}

/** How positions are added: x sqrt(D / attenuation) + weight P. */
export interface PositionOptions {
  /** A: larger makes the features weaker beside the positions; published 10, for HMDB51 50, for Epic-Kitchens 2048. */
  readonly attenuation: number;
  /** B: published 1, for Epic-Kitchens 0.1. */
  readonly weight: number;
}

export const positionPreset = { attenuation: 10, weight: 1 } as const satisfies PositionOptions;

/**
 * Features with their positions: x `[…, T, D]`, table `[1, positions, D]` or `[positions, D]` (a checkpoint's own) or nothing for {@link positionTable}.
 * @throws ShapeError for more frames than positions
 */
export function encodePositions(x: Tensor, saved: Tensor | undefined, { attenuation, weight }: PositionOptions): Tensor {
  const width = x.shape[x.rank - 1];
  return add(mul(x, Math.sqrt(width / attenuation)), mul(firstPositions(x, saved ?? fixed(positionTable(width), x)), weight));
}

/** x + table: x `[…, T, D]`, as TRX has it. @throws ShapeError for more frames than positions */
export function addPositions(x: Tensor, saved: Tensor): Tensor {
  return add(x, firstPositions(x, saved));
}

/** A table as a constant of x's type. */
export function fixed(values: NDArray, x: Tensor): Tensor {
  return constant(fromNumbers(Array.from(values.data as Float64Array), values.shape, x.dtype));
}

function firstPositions(x: Tensor, positions: Tensor): Tensor {
  const [frames, width] = x.shape.slice(-2);
  const rows = reshape(positions, [-1, width]);
  if (frames > rows.shape[0])
    throw new ShapeError(`positions: ${frames} frames, but the table of positions has ${rows.shape[0]} rows`);
  return slice(rows, 0, 0, frames);
}
