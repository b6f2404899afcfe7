/** Trained models as files that others read (Node). */
import { realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError, type OnnxValue, parseOnnxModel, readBytes, requireNewFile, writeFileAtomic } from '../data/index.ts';
import { type NDArray, random, type Shape } from '../engine/index.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import { onnxExportOf } from './exportTasks.ts';
import { encodeModel, type Model, modelMetadata } from './model.ts';
import type { OnnxExport } from './onnxExport.ts';

/** What a model can be written as; also the endings of the files. */
export type ExportFormat = 'onnx' | 'safetensors';

export interface ExportOptions {
  readonly format: ExportFormat;
  readonly out: string;
  /** Replace the file if it exists. */
  readonly force?: boolean;
  readonly threads?: number;
}

/** What was written. */
export interface ExportSummary {
  readonly file: string;
  readonly format: ExportFormat;
  readonly bytes: number;
  /** Of an ONNX model: how the written file compares with the trained model. */
  readonly check?: ExportCheck;
}

export interface ExportCheck {
  /** What the file says it takes and gives; axes with names are open. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Shapes of the input it was run on, and what differs in them, in words. */
  readonly shapes: readonly Shape[];
  readonly sizes: string;
  /** Largest difference of any output to the trained model's: absolute up to 1, where probabilities and attention are, and relative beyond. */
  readonly largestDifference: number;
}

/** How far an exported model's outputs may be from the trained model's: rounding, since a runtime may compute parts beforehand. */
const allowedDifference = 1e-5;

/**
 * Writes a model as one file: `safetensors` with the parameters under their published names, or `onnx`, the inference model of its
 * task with open axes ({@link onnxExportOf}). An ONNX model is run, as written, beside the trained one.
 * @throws DataError if the file exists (without `force`), is a device or cannot be written, or if the written model does not agree with the trained one:
 *   what was there before stays then.
 */
export async function exportFile(model: Model, { format, out, force = false, threads }: ExportOptions): Promise<ExportSummary> {
  await requireNewFile(out, force);
  if (format === 'safetensors') {
    const chunks = encodeModel(model);
    await writeFileAtomic(out, chunks);
    return { file: out, format, bytes: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) };
  }
  const exported = onnxExportOf(model);
  // Where a link leads to is replaced, not the link.
  const place = await realpath(out).catch(() => out);
  // Under a temporary name until it is checked: what it replaces stays until then.
  const unchecked = join(dirname(place), `.${basename(place)}.${process.pid}.0.tmp`); // as isTemporaryFile knows it
  await writeFileAtomic(unchecked, exported.encode({ ...modelMetadata(model), ...exported.metadata }));
  try {
    const written = await readBytes(unchecked);
    const check = await checkOnnx(written, exported, threads);
    if (!(check.largestDifference <= allowedDifference)) {
      const found = `found a difference of ${check.largestDifference.toExponential(1)}`;
      throw new DataError(out, `expected outputs within ${allowedDifference} of the trained model's, ${found}; it was not kept`);
    }
    await rename(unchecked, place);
    return { file: out, format, bytes: written.length, check };
  } finally {
    await rm(unchecked, { force: true });
  }
}

/** Runs a written model beside the trained one, on random inputs of several sizes. */
async function checkOnnx(
  bytes: Uint8Array,
  { input, outputs, shapes, sizes, derived, open }: OnnxExport,
  threads?: number,
): Promise<ExportCheck> {
  const runtime = await defaultRuntime('cpu');
  const session = await runtime.createSession(bytes, outputs, { threads });
  const trained = open({ threads });
  let largestDifference = 0;
  try {
    for (const [i, shape] of shapes.entries()) {
      const values = random.uniform(random.key(i), shape);
      const expected = await trained.run(values);
      const found = await session.run({ [input]: values });
      const own = derived?.(found) ?? [];
      for (const [k, array] of found.entries())
        largestDifference = Math.max(largestDifference, differenceOf(array, own[k] ?? expected[k]));
    }
  } finally {
    await session.dispose();
    await trained.dispose();
  }
  const { inputs, outputs: ports } = parseOnnxModel(bytes, 'the exported model');
  return { inputs, outputs: ports, shapes, sizes, largestDifference };
}

/** Largest difference of a value and b's, relative to b's beyond 1; infinite for another shape, and for a value that is not finite. */
function differenceOf(a: NDArray, b: NDArray): number {
  if (String(a.shape) !== String(b.shape)) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) {
    const expected = Number(b.data[i]);
    const difference = Math.abs(Number(a.data[i]) - expected) / Math.max(1, Math.abs(expected));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
