/** Trained models as files that others read (Node). */
import { realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError, encodeSafetensors, readBytes, requireNewFile, writeFileAtomic } from '../data/index.ts';
import { type NDArray, random, type Shape } from '../engine/index.ts';
import { defaultRuntime } from '../engine/runtime/default.ts';
import { acmNetOptions } from '../localization/config.ts';
import { fewestSnippets, localizerOnnx, localizerOutputs } from '../localization/onnxModel.ts';
import { inferenceStep } from '../localization/steps.ts';
import { requireLocalization } from './config.ts';
import { type Model, modelMetadata } from './model.ts';

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
  /** Sizes `[batch, snippets, F]` of the features it was run on. */
  readonly shapes: readonly Shape[];
  /** Largest absolute difference of any output (probabilities and attention, all in [0, 1]) to the trained model's. */
  readonly largestDifference: number;
}

/** How far an exported model's outputs may be from the trained model's: rounding, since a runtime may compute parts beforehand. */
const allowedDifference = 1e-5;

/**
 * Writes a model as one file: `safetensors` with the parameters under their published names, or `onnx`, the inference model with open batch
 * and time axes ({@link localizerOnnx}). An ONNX model is run, as written, beside the trained one.
 * @throws DataError if the file exists (without `force`), is a device or cannot be written, or if the written model does not agree with the trained one:
 *   what was there before stays then.
 */
export async function exportFile(model: Model, { format, out, force = false, threads }: ExportOptions): Promise<ExportSummary> {
  await requireNewFile(out, force);
  if (format === 'safetensors') {
    const chunks = encodeSafetensors(model.params, modelMetadata(model));
    await writeFileAtomic(out, chunks);
    return { file: out, format, bytes: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) };
  }
  const network = acmNetOptions(requireLocalization(model.config, `${model.source}: export to ONNX`), model.classes.length);
  // Where a link leads to is replaced, not the link.
  const place = await realpath(out).catch(() => out);
  // Under a temporary name until it is checked: what it replaces stays until then.
  const unchecked = join(dirname(place), `.${basename(place)}.${process.pid}.0.tmp`); // as isTemporaryFile knows it
  await writeFileAtomic(unchecked, localizerOnnx(network, model.params, { ...modelMetadata(model), ...plainMetadata(model) }));
  try {
    const written = await readBytes(unchecked);
    const check = await checkOnnx(written, model, threads);
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

/** What other programs need to know of a localiser, in words of their own. */
function plainMetadata({ classes, config }: Model): Record<string, string> {
  const { data, model } = requireLocalization(config, 'export');
  const preprocessing = {
    input: 'features',
    width: model.featureDim,
    extractor: data.extractor,
    sampling: 'uniform',
    mostSnippets: data.samples,
    fewestSnippets,
  };
  return {
    task: config.task,
    method: config.method,
    classes: JSON.stringify(classes),
    framesPerSecond: String(data.framesPerSecond),
    snippetFrames: String(data.snippetFrames),
    preprocessing: JSON.stringify(preprocessing),
  };
}

/** Runs a written model beside the trained one, on random features of several sizes. */
async function checkOnnx(bytes: Uint8Array, model: Model, threads?: number): Promise<ExportCheck> {
  const { classes, params } = model;
  const config = requireLocalization(model.config, 'export');
  const network = acmNetOptions(config, classes.length);
  const { samples } = config.data;
  const lengths = [fewestSnippets, 3, 7, 8, 29, samples].filter(
    (length, i, all) => length <= samples && all.indexOf(length) === i,
  );
  const shapes = [...lengths.map(time => [1, time, network.featureDim]), [2, Math.min(13, samples), network.featureDim]];
  const runtime = await defaultRuntime('cpu');
  const session = await runtime.createSession(bytes, localizerOutputs, { threads });
  const step = inferenceStep({ network }, { threads });
  let largestDifference = 0;
  try {
    for (const [i, shape] of shapes.entries()) {
      const features = random.uniform(random.key(i), shape);
      const trained = await step(params, features);
      const found = await session.run({ features });
      for (const [k, name] of localizerOutputs.entries())
        largestDifference = Math.max(largestDifference, differenceOf(found[k], trained[name]));
    }
  } finally {
    await session.dispose();
    await step.dispose();
  }
  return { shapes, largestDifference };
}

/** Largest absolute difference; infinite for another shape, and for a value that is not finite. */
function differenceOf(a: NDArray, b: NDArray): number {
  if (String(a.shape) !== String(b.shape)) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) {
    const difference = Math.abs(Number(a.data[i]) - Number(b.data[i]));
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
