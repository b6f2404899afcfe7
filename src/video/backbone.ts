/** A frozen ONNX backbone: what it wants, and how frames become its input. */

import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { readBytes } from '../data/files.ts';
import { DataError, messageOf } from '../data/formats/dataError.ts';
import { type OnnxExtent, type OnnxModel, type OnnxValue, parseOnnxModel } from '../data/formats/onnxModel.ts';
import { ndarray, showShape } from '../engine/ndarray.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import type { Device } from '../engine/runtime/runtime.ts';

/** Order of a backbone's input axes. With `t` it takes a window of frames, without it single frames. */
export const layouts = ['nchw', 'nhwc', 'ncthw', 'ntchw', 'nthwc'] as const;
export type Layout = (typeof layouts)[number];

/** How pixels become input. */
export interface Preprocessing {
  /** Side of the square input, in pixels. */
  readonly size: number;
  /** A value is (pixel x scale - mean) / std, pixels from 0 to 255, mean and std for each of R, G and B. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What is asked of a backbone; what is not said follows from the model, as far as it says so. */
export interface BackboneOptions extends Partial<Preprocessing> {
  /** Name of the output to take. Default: the only one. */
  readonly output?: string;
  readonly layout?: Layout;
  /** Frames behind one row. */
  readonly window?: number;
  /** Inputs in one run. Default 8, or what the model fixes. */
  readonly batch?: number;
  readonly device?: Device;
  readonly threads?: number;
}

/** A loaded backbone. */
export interface Backbone extends Preprocessing {
  readonly file: string;
  readonly sha256: string;
  readonly output: string;
  readonly layout: Layout;
  readonly window: number;
  readonly batch: number;
  /**
   * Features of at most `batch` inputs. With a layout of single frames a row is the mean over its window.
   * @param frames `[inputs x window, size, size, 3]`
   * @returns `[inputs, F]`
   */
  run(frames: Uint8Array, inputs: number): Promise<Float32Array>;
  /** F, once something was run. */
  width(): number | undefined;
  dispose(): Promise<void>;
}

/**
 * Loads an ONNX model as a feature extractor.
 * @throws DataError naming the file and what does not fit: no ONNX model, several outputs and none chosen, no picture input, sizes that the
 *   model fixes otherwise
 */
export async function openBackbone(path: string, options: BackboneOptions = {}): Promise<Backbone> {
  const bytes = await readBytes(path);
  const model = parseOnnxModel(bytes, path);
  const output = chooseOutput(model, options.output, path);
  const input = onlyInput(model, path);
  const layout = layoutOf(input, options, path);
  const extent = (axis: string): OnnxExtent => input.shape?.[layout.indexOf(axis)] ?? null;
  const size = fixed(extent('h'), options.size, 'size', path) ?? 224;
  if (typeof extent('w') === 'number' && extent('w') !== size)
    throw new DataError(path, `expected an input of ${size} x ${size} pixels, found one ${extent('w')} wide`);
  const window = layout.includes('t') ? (fixed(extent('t'), options.window, 'window', path) ?? 8) : (options.window ?? 1);
  const batch = fixed(extent('n'), options.batch, 'batch', path) ?? 8;
  const { scale = 1 / 255 } = options;
  const [mean, std] = [options.mean ?? [0, 0, 0], options.std ?? [1, 1, 1]].map(values => channels(values));
  // The file's bytes stay unwritten: the runtime reads them where they are.
  const runtime = await defaultRuntime(options.device ?? 'cpu');
  const session = await runtime.createSession(bytes, [output], { threads: options.threads }).catch((error: unknown) => {
    throw new DataError(path, `ONNX Runtime cannot load it (${messageOf(error)})`, { cause: error });
  });
  const fill = filler({ size, scale, mean, std }, layout, window);
  const isClip = layout.includes('t');
  // A model that fixes its batch gets whole ones.
  const isFixed = typeof extent('n') === 'number';
  const perRow = isClip ? 1 : window;
  let width: number | undefined;

  /** Runs the model on pictures or clips `first` to `first + count - 1`. */
  const runPart = async (frames: Uint8Array, first: number, count: number): Promise<Float32Array> => {
    const given = isFixed ? batch : count;
    const shape = Array.from(layout, axis => ({ n: given, c: 3, t: window, h: size, w: size })[axis]!);
    const tensor = ndarray('float32', shape, fill(frames, first, count, given));
    const [found] = await session.run({ [input.name]: tensor }).catch((error: unknown) => {
      throw new DataError(path, `ONNX Runtime cannot run it on an input ${showShape(shape)} (${messageOf(error)})`, {
        cause: error,
      });
    });
    const [rows, ...rest] = found.shape;
    const features = rest.reduce((product, each) => product * each, 1);
    // [N, F], or [N, F, 1, 1] before a model's own flattening.
    if (found.dtype !== 'float32' || rows !== given || rest.length === 0 || rest.slice(1).some(each => each !== 1))
      throw new DataError(
        path,
        `output ${output}: expected float32 [${given}, F], found ${found.dtype} ${showShape(found.shape)}`,
      );
    width = features;
    return (found.data as Float32Array).subarray(0, count * features);
  };
  return {
    file: basename(path),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    output,
    layout,
    window,
    batch,
    size,
    scale,
    mean,
    std,
    async run(frames, inputs) {
      if (perRow === 1) return runPart(frames, 0, inputs);
      const all: Float32Array[] = [];
      for (let at = 0; at < inputs * window; at += batch)
        all.push(await runPart(frames, at, Math.min(batch, inputs * window - at)));
      return meanOfWindows(all, inputs, window, width!);
    },
    width: () => width,
    dispose: () => session.dispose(),
  };
}

function chooseOutput({ outputs }: OnnxModel, asked: string | undefined, path: string): string {
  const names = outputs.map(({ name }) => name);
  if (asked !== undefined) {
    if (!names.includes(asked))
      throw new DataError(path, `it has no output ${JSON.stringify(asked)} (its outputs: ${names.join(', ')})`);
    return asked;
  }
  if (names.length !== 1)
    throw new DataError(path, `which output holds the features? choose one by --output: ${names.join(', ')}`);
  return names[0];
}

function onlyInput({ inputs }: OnnxModel, path: string): OnnxValue {
  if (inputs.length !== 1)
    throw new DataError(
      path,
      `expected a model of one input, found ${inputs.length} (${inputs.map(({ name }) => name).join(', ')})`,
    );
  if (inputs[0].dtype !== 'float32') throw new DataError(path, `expected a float32 input, found ${inputs[0].dtype}`);
  return inputs[0];
}

function layoutOf({ name, shape }: OnnxValue, { layout }: BackboneOptions, path: string): Layout {
  const fits = layouts.filter(
    each =>
      shape === null ||
      (shape.length === each.length && (typeof shape[each.indexOf('c')] !== 'number' || shape[each.indexOf('c')] === 3)),
  );
  const found = `input ${name} [${shape?.map(extent => extent ?? '?').join(', ') ?? '?'}]`;
  if (layout !== undefined) {
    if (!fits.includes(layout)) throw new DataError(path, `${found} is not ${layout}`);
    return layout;
  }
  const stated = fits.filter(each => shape?.[each.indexOf('c')] === 3);
  if (stated.length === 1) return stated[0];
  const choices = stated.length > 0 ? stated : fits;
  if (choices.length === 0) throw new DataError(path, `expected an input of RGB pictures or clips, found ${found}`);
  throw new DataError(path, `${found}: its layout is not certain; choose one by --layout: ${choices.join(', ')}`);
}

function fixed(extent: OnnxExtent, asked: number | undefined, what: string, path: string): number | undefined {
  if (typeof extent !== 'number') return asked;
  if (asked !== undefined && asked !== extent) throw new DataError(path, `its ${what} is ${extent}, not ${asked}`);
  return extent;
}

function channels(values: readonly number[]): readonly number[] {
  if (values.length === 1) return [values[0], values[0], values[0]];
  if (values.length !== 3) throw new RangeError(`mean and std: expected one number or three, found ${values.length}`);
  return values;
}

/** Writes pixels in the order of a layout; 256 values a channel are computed beforehand. */
function filler({ size, scale, mean, std }: Preprocessing, layout: Layout, window: number) {
  const tables = mean.map((m, c) => Float32Array.from({ length: 256 }, (_, pixel) => (pixel * scale - m) / std[c]));
  const frames = layout.includes('t') ? window : 1;
  const extents = { n: 0, c: 3, t: frames, h: size, w: size } as const;
  const strides: Record<string, number> = {};
  let stride = 1;
  for (const axis of [...layout].reverse()) {
    strides[axis] = stride;
    stride *= extents[axis as keyof typeof extents] || 1;
  }
  const inputSize = 3 * frames * size * size;
  return (pixels: Uint8Array, first: number, count: number, given: number): Float32Array<ArrayBuffer> => {
    const out = new Float32Array(given * inputSize);
    for (let i = 0; i < count; i++) {
      for (let t = 0; t < frames; t++) {
        let from = ((first + i) * frames + t) * size * size * 3;
        for (let y = 0; y < size; y++) {
          let at = i * inputSize + t * (strides.t ?? 0) + y * strides.h;
          for (let x = 0; x < size; x++, at += strides.w, from += 3) {
            out[at] = tables[0][pixels[from]];
            out[at + strides.c] = tables[1][pixels[from + 1]];
            out[at + 2 * strides.c] = tables[2][pixels[from + 2]];
          }
        }
      }
    }
    return out;
  };
}

function meanOfWindows(parts: readonly Float32Array[], rows: number, window: number, width: number): Float32Array {
  const out = new Float32Array(rows * width);
  let frame = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += width, frame++) {
      const row = Math.floor(frame / window) * width;
      for (let i = 0; i < width; i++) out[row + i] += part[at + i] / window;
    }
  }
  return out;
}
