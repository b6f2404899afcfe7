/** A trained model as a file (Node): weights under their published names, and in the metadata all that prediction needs. */
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../data/formats/json.ts';
import { DataError, encodeSafetensors, exists, writeFileAtomic } from '../data/index.ts';
import type { Params } from '../nn/index.ts';
import { joinCalibration, readCalibration, splitCalibration } from './calibrationFile.ts';
import { type CheckpointName, loadCheckpoint, readWeights, selectedCheckpoint, type Warner } from './checkpoint.ts';
import { type Config, parseConfig } from './config.ts';
import { consoleReporter } from './reporter.ts';
import { kindOf } from './tasks.ts';

/** A trained model. */
export interface Model {
  /** The file or run folder it came from. */
  readonly source: string;
  /** The checkpoint of a run folder: which one, and the epochs that were done. */
  readonly checkpoint?: { readonly name: CheckpointName; readonly epoch: number };
  readonly params: Params;
  /** What its task adds to the weights, by name; missing where no training data was behind it, as behind imported weights. */
  readonly calibration?: Params;
  /** Class names in the order of the columns. */
  readonly classes: readonly string[];
  /** The resolved configuration it was trained with: sampling, thresholds, and the identity of the feature extractor. */
  readonly config: Config;
}

const describedSchema = z.object({ format: z.literal(1), classes: z.array(z.string()), config: z.unknown() });

/** What a weights file says of its model, as safetensors metadata. */
export function modelMetadata({ classes, config }: Pick<Model, 'classes' | 'config'>): Record<string, string> {
  return { inkling: JSON.stringify({ format: 1, classes, config }) };
}

/** Writes a model as one file that {@link loadModel} reads. */
export async function writeModel(path: string, model: ModelContent): Promise<void> {
  await writeFileAtomic(path, encodeModel(model));
}

/** What a model file holds. */
export type ModelContent = Pick<Model, 'params' | 'calibration' | 'classes' | 'config'>;

/** A model as the bytes of one file. */
export function encodeModel(model: ModelContent): Uint8Array[] {
  return encodeSafetensors(joinCalibration(model), modelMetadata(model));
}

/**
 * Loads a model from a run folder (the checkpoint that the run selected, unless another is named) or from one weights file. Where the
 * last checkpoint is damaged the one before it is loaded, with a warning.
 * @param warner takes warnings; default: standard error
 * @throws DataError if there is none, or it does not describe itself, or its weights do not fit its description; or if the selected
 *   checkpoint is the best one and is damaged, which nothing can stand for.
 */
export async function loadModel(path: string, named?: CheckpointName, warner: Warner = consoleReporter()): Promise<Model> {
  if (!(await exists(path))) throw new DataError(path, 'expected a run folder or a model file, found nothing');
  if (!(await stat(path)).isDirectory()) {
    if (extname(path).toLowerCase() === '.onnx')
      throw new DataError(
        path,
        'expected a run folder or a .safetensors model, found an ONNX model, which predict takes but which has no weights to go on with',
      );
    const { tensors, metadata } = await readWeights(path);
    if (metadata.inklingBackbone !== undefined)
      throw new DataError(path, 'expected a model, found the weights of a backbone alone (train --from starts from them)');
    const { params, calibration } = splitCalibration(tensors);
    return { source: path, params, calibration, ...checkedModel(params, metadata, path) };
  }
  const name = named ?? (await selectedCheckpoint(path));
  const { params, metadata, pointer } = await loadCheckpoint(path, name, warner);
  const { epoch } = pointer;
  const { classes, config } = checkedModel(params, metadata, path);
  if (named === undefined && name === 'last' && config.evaluation.select === 'best-on-test')
    warner.warn(`${path}: no best checkpoint, though evaluation.select is best-on-test; the last one is used, of epoch ${epoch}`);
  const calibration = await readCalibration(path, params, warner);
  return { source: path, checkpoint: { name, epoch }, params, calibration, classes, config };
}

/** What the metadata says of weights, which have to fit it. */
function checkedModel(
  params: Params,
  metadata: Readonly<Record<string, string>>,
  path: string,
): Pick<Model, 'classes' | 'config'> {
  const { classes, config } = described(metadata.inkling, path);
  checkShapes(params, kindOf(config).shapes(config, classes.length), path);
  return { classes, config };
}

/**
 * What a model's metadata says of it.
 * @throws DataError if it says nothing, or something else
 */
export function described(text: string | undefined, path: string): Pick<Model, 'classes' | 'config'> {
  if (text === undefined)
    throw new DataError(
      path,
      'expected a model (weights with a description of task and classes), found weights alone (import makes a model of them)',
    );
  return parseModelMetadata(text, path);
}

/** The reverse of {@link modelMetadata}. @throws DataError naming the file if the text describes no model */
export function parseModelMetadata(text: string, path: string): Pick<Model, 'classes' | 'config'> {
  const parsed = describedSchema.safeParse(parseJson(text, `${path}: the description of the model`));
  if (!parsed.success) throw new DataError(path, 'the description of the model lacks format, classes or config');
  return { classes: parsed.data.classes, config: parseConfig(parsed.data.config, path) };
}

/** What a file of backbone weights says of itself. */
const backboneSchema = z.object({
  format: z.literal(1),
  network: z.string(),
  width: z.int(),
  naming: z.string(),
  normalized: z.boolean(),
  source: z.string(),
});

/** Weights of a backbone alone: which network, how the checkpoint they come from names them, whether they were trained on normalised frames. */
export type BackboneDescription = Omit<z.infer<typeof backboneSchema>, 'format'>;

/** The metadata of a file of backbone weights, which is no model but a start for one. */
export function backboneMetadata(description: BackboneDescription): Record<string, string> {
  return { inklingBackbone: JSON.stringify({ format: 1, ...description }) };
}

/** Weights to start from. */
export interface Start {
  readonly params: Params;
  /** Of a model; a backbone knows none. */
  readonly classes?: readonly string[];
  /** Of a backbone: whether it was trained on normalised frames. */
  readonly normalized?: boolean;
}

/**
 * What a training starts from: a model as {@link loadModel} loads it, or a backbone, which knows no classes.
 * @throws DataError as there
 */
export async function loadStart(path: string, warner?: Warner): Promise<Start> {
  if (extname(path).toLowerCase() === '.safetensors' && (await stat(path).catch(() => undefined))?.isFile()) {
    const { tensors, metadata } = await readWeights(path);
    if (metadata.inklingBackbone !== undefined) {
      const described = backboneSchema.safeParse(parseJson(metadata.inklingBackbone, `${path}: the description of the backbone`));
      if (!described.success)
        throw new DataError(path, 'the description of the backbone lacks format, network, width, naming, normalized or source');
      return { params: tensors, normalized: described.data.normalized };
    }
  }
  return loadModel(path, undefined, warner);
}

function checkShapes(params: Params, shapes: Readonly<Record<string, readonly number[]>>, path: string): void {
  for (const [name, shape] of Object.entries(shapes)) {
    const found = params[name];
    if (!found) throw new DataError(path, `expected the parameter ${name}, found none`);
    if (String(found.shape) !== String(shape))
      throw new DataError(path, `${name}: expected shape [${shape}], found [${found.shape}]`);
  }
}
