/** Where clips are cropped: boxes in pixels, from uniforms of [0, 1) where they are random. Pure. */

/** A part of a picture. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** The size whose short side is `side`; the long side is truncated, as the published test transform does. */
export function shortSideSize([height, width]: Size, side: number): Size {
  return height <= width ? [side, Math.trunc((width / height) * side)] : [Math.trunc((height / width) * side), side];
}

function checkFits(what: string, [height, width]: Size, side: number): void {
  if (!(Number.isInteger(side) && side >= 1 && side <= height && side <= width))
    throw new RangeError(`${what}: expected a crop within ${height} x ${width} pixels, found ${side} x ${side}`);
}

/** The square in the middle; offsets are rounded down. */
export function centreCrop(size: Size, side: number): Box {
  checkFits('centreCrop', size, side);
  const [height, width] = size;
  return { top: Math.floor((height - side) / 2), left: Math.floor((width - side) / 2), height: side, width: side };
}

/** Crop `index` of three along the long side: at its start, in the middle, at its end. */
export function threeCrop(size: Size, side: number, index: number): Box {
  const middle = centreCrop(size, side);
  if (![0, 1, 2].includes(index)) throw new RangeError(`threeCrop: expected crop 0, 1 or 2, found ${index}`);
  const [height, width] = size;
  const along = (room: number, centre: number): number => [0, centre, room][index];
  return height > width
    ? { ...middle, top: along(height - side, middle.top) }
    : { ...middle, left: along(width - side, middle.left) };
}

/** A square anywhere: offsets trunc(u (room)), as published (the last place is therefore never drawn). */
export function randomCrop(size: Size, side: number, [vertical, horizontal]: readonly [number, number]): Box {
  checkFits('randomCrop', size, side);
  const [height, width] = size;
  return {
    top: Math.trunc(vertical * (height - side)),
    left: Math.trunc(horizontal * (width - side)),
    height: side,
    width: side,
  };
}

/** What {@link randomResizedCrop} draws from. */
export interface ResizedCropRange {
  /** Part of the picture's area, from and to. Default 0.08 to 1. */
  readonly area?: readonly [number, number];
  /** Width over height, from and to, log-uniform. Default 3/4 to 4/3. */
  readonly ratio?: readonly [number, number];
}

/** Attempts of {@link randomResizedCrop}. */
const attempts = 10;

/**
 * A box of random area and shape (Szegedy et al. 2015): up to ten attempts, then the largest box in the middle whose shape is within range.
 * @param uniform gives the uniforms, up to 22 of them
 */
export function randomResizedCrop(
  [height, width]: Size,
  uniform: () => number,
  { area = [0.08, 1], ratio = [3 / 4, 4 / 3] }: ResizedCropRange = {},
): Box {
  const [lowest, highest] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const pixels = height * width * (area[0] + (area[1] - area[0]) * uniform());
    const shape = Math.exp(lowest + (highest - lowest) * uniform());
    const [h, w] = [Math.round(Math.sqrt(pixels / shape)), Math.round(Math.sqrt(pixels * shape))];
    if (h < 1 || w < 1 || h > height || w > width) continue;
    const top = Math.floor(uniform() * (height - h + 1));
    return { top, left: Math.floor(uniform() * (width - w + 1)), height: h, width: w };
  }
  const shape = width / height;
  const [h, w] =
    shape < ratio[0]
      ? [Math.round(width / ratio[0]), width]
      : shape > ratio[1]
        ? [height, Math.round(height * ratio[1])]
        : [height, width];
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

/** What {@link multiScaleCrop} draws from. */
export interface MultiScaleRange {
  /** Sides as parts of the short side. Default 1, 0.875, 0.75, 0.66. */
  readonly scales?: readonly number[];
  /** How many places in `scales` height and width may lie apart. Default 1. */
  readonly apart?: number;
}

/**
 * Multi-scale crop (TSN): height and width from a list of parts of the short side, at one of 13 places: the corners, the middles of the sides,
 * the middle, and the middles of the quarters.
 * @param uniform gives two uniforms
 */
export function multiScaleCrop(
  [height, width]: Size,
  uniform: () => number,
  { scales = [1, 0.875, 0.75, 0.66], apart = 1 }: MultiScaleRange = {},
): Box {
  const sides = scales.map(scale => Math.max(1, Math.trunc(Math.min(height, width) * scale)));
  const pairs = sides.flatMap((h, i) => sides.flatMap((w, j) => (Math.abs(i - j) <= apart ? [[h, w] as const] : [])));
  const [h, w] = pairs[Math.floor(uniform() * pairs.length)];
  // Quarters of the room: (row, column), 0 to 4.
  const places = [
    ...[0, 2, 4].flatMap(row => [0, 2, 4].map(column => [row, column] as const)),
    ...[1, 3].flatMap(row => [1, 3].map(column => [row, column] as const)),
  ];
  const [row, column] = places[Math.floor(uniform() * places.length)];
  const at = (room: number, quarter: number): number => (quarter === 4 ? room : Math.floor(room / 4) * quarter);
  return { top: at(height - h, row), left: at(width - w, column), height: h, width: w };
}
