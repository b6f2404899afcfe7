/** Weights of other programs as models of ours (Node). */

import { readdir, stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { type CheckpointValue, parseTorchCheckpoint } from '../data/formats/torchCheckpoint.ts';
import {
  DataError,
  listSafetensors,
  makeFolder,
  parseNpz,
  readBytes,
  requireNewFile,
  requireWritable,
  writeFileAtomic,
} from '../data/index.ts';
import { commonPrefix, findStateDict } from '../data/stateDict.ts';
import { type NDArray, type Shape, showShape } from '../engine/index.ts';
import { fold, key } from '../engine/random.ts';
import type { LocalizationConfig } from '../localization/config.ts';
import { type Merged, mergeParams } from '../nn/index.ts';
import { saveLast } from './checkpoint.ts';
import { isPublishedClasses, readClassNames } from './classNames.ts';
import { type Config, dumpConfig, loadConfigOrRun, parseConfig, requireLocalization, runConfigFile } from './config.ts';
import { parseOverride } from './configFile.ts';
import { deepMerge } from './configTree.ts';
import { type Model, modelMetadata, parseModelMetadata, writeModel } from './model.ts';
import type { ModelKind } from './models.ts';
import { writeRunRecord } from './runRecord.ts';
import { kindOf } from './tasks.ts';

/** Weights in a file, by name; an array is read when it is asked for. */
export interface SourceWeights {
  /** What they are and where in the file, for messages: `8 tensors under state_dict, module. taken off their names`. */
  readonly found: string;
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: Shape; read(): NDArray }>;
  /** Entries among them that are no arrays. */
  readonly others: readonly string[];
  /** What a model of ours says of itself. */
  readonly own?: Pick<Model, 'classes' | 'config'>;
}

/**
 * The weights of a `.safetensors` or `.npz` file, or a PyTorch checkpoint, with a `module.` or `_orig_mod.` that all names have taken off.
 * @param options.key which of several sets of weights in a checkpoint, such as `state_dict_ema`
 * @throws DataError naming the file if it is none of these, is damaged, or has no weights under `key`
 */
export async function readSourceWeights(path: string, options: { readonly key?: string } = {}): Promise<SourceWeights> {
  const ending = extname(path).toLowerCase();
  const bytes = await readBytes(path);
  if (ending !== '.safetensors' && ending !== '.npz') {
    const tree = parseTorchCheckpoint(bytes, path);
    const { path: place, stripped, tensors, others } = findStateDict(tree, path, options);
    const rivals = otherWeights(tree, place, stripped, tensors);
    const also = rivals.length > 0 ? `; the same names are under ${rivals.join(', ')} too (--key)` : '';
    return { found: foundText(tensors.size, place, stripped) + also, tensors, others };
  }
  if (options.key !== undefined) throw new DataError(path, `--key goes with checkpoints of PyTorch, found a ${ending} file`);
  const listed = ending === '.npz' ? { entries: npzEntries(bytes, path), metadata: {} } : safetensorsEntries(bytes, path);
  const stripped = commonPrefix([...listed.entries.keys()]);
  const tensors = new Map([...listed.entries].map(([name, tensor]) => [name.slice(stripped.length), tensor]));
  const { inkling }: Record<string, string> = listed.metadata;
  const own = inkling === undefined ? undefined : parseModelMetadata(inkling, path);
  return { found: foundText(tensors.size, '', stripped), tensors, others: [], own };
}

/** Other places at the top of a checkpoint where the first of the weights found is too, such as their running average. */
function otherWeights(tree: CheckpointValue, place: string, stripped: string, tensors: ReadonlyMap<string, unknown>): string[] {
  const [first] = tensors.keys();
  if (!(tree instanceof Map) || first === undefined) return [];
  return [...tree].flatMap(([name, value]) =>
    typeof name === 'string' && name !== place && value instanceof Map && (value.has(first) || value.has(stripped + first))
      ? [name]
      : [],
  );
}

type Tensors = SourceWeights['tensors'];

function npzEntries(bytes: Uint8Array, path: string): Tensors {
  return new Map(
    Object.entries(parseNpz(bytes, path)).map(([name, array]) => [
      name,
      { dtype: array.dtype, shape: array.shape, read: () => array },
    ]),
  );
}

function safetensorsEntries(bytes: Uint8Array, path: string): { entries: Tensors; metadata: Record<string, string> } {
  const { tensors, metadata } = listSafetensors(bytes, path);
  return { entries: new Map(tensors.map(({ name, type, shape, read }) => [name, { dtype: type, shape, read }])), metadata };
}

function foundText(count: number, place: string, stripped: string): string {
  const where = place === '' ? '' : ` under ${place}`;
  return `${count} tensors${where}${stripped === '' ? '' : `, ${stripped} taken off their names`}`;
}

/** How weights become a model. */
export interface ImportOptions {
  readonly model: ModelKind;
  /** A configuration or run; default: the preset of the model. */
  readonly config?: string;
  readonly sets?: readonly string[];
  /** Class names as in {@link readClassNames}; default: `data.classes` of the configuration, or what a model of ours says of itself. */
  readonly classes?: string;
  /** The model is looked at and not written: where nobody names its classes, numbers stand for them. */
  readonly onlyLook?: boolean;
}

/** Imported weights, matched to the parameters of a model. */
export interface ImportedModel extends Omit<Model, 'source'> {
  readonly config: LocalizationConfig;
  /** Whatever has another shape is left as it was: see {@link mustFit}. */
  readonly merged: Merged;
  /** Whether the classes have their names, or numbers in place of them ({@link ImportOptions.onlyLook}). */
  readonly isNamed: boolean;
  /** Name of the configuration it started from. */
  readonly base: string;
  /** Keys of the configuration that the weights decided against it, e.g. `model.featureDim: 8, not 2048`. */
  readonly adapted: readonly string[];
  /** Missing parameters without which inference makes no sense. */
  readonly needed: readonly string[];
  /** Matched parameters with values that are no finite numbers. */
  readonly notFinite: readonly string[];
}

/**
 * Matches weights to a model: options follow from the shapes of the weights, what is missing has its initial value from `train.seed`.
 * @param where the file's name, for messages
 * @throws DataError if nothing matches, or the class names are not known or not as many as the
 *   weights say
 */
export async function importModel(weights: SourceWeights, where: string, options: ImportOptions): Promise<ImportedModel> {
  const { model } = options;
  const shapes = new Map([...weights.tensors].map(([name, { shape }]) => [name, shape]));
  const inferred = model.infer(shapes);
  const given = await configFor(weights, options);
  const adaptedModel = { ...given.config.model, ...inferred.model };
  mustMatch(shapes, Object.keys(model.shapes({ ...given.config, model: adaptedModel }, 1)), where);
  const named = await classesFor(weights, where, given, inferred.classes, options);
  const classes = named ?? Array.from({ length: inferred.classes ?? 0 }, (_, i) => String(i));
  const adapted = Object.entries(inferred.model).flatMap(([name, value]) => {
    const stated = given.config.model[name as keyof LocalizationConfig['model']];
    return stated === value ? [] : [`model.${name}: ${value}, not ${stated}`];
  });
  const { data } = given.config;
  const parsed = parseConfig(
    {
      ...given.config,
      model: adaptedModel,
      data: { ...data, dir: resolve(data.dir), classes },
    },
    given.name,
  );
  const config = requireLocalization(parsed, given.name);
  const params = model.init(config, classes.length, fold(key(config.train.seed), 'init'));
  const source = Object.fromEntries([...weights.tensors].map(([name, tensor]) => [name, unread(tensor)]));
  const merged = mergeParams(params, source);
  return {
    params,
    classes,
    isNamed: named !== undefined,
    config,
    merged,
    base: given.name,
    adapted,
    needed: merged.missing.filter(name => !model.trainingOnly.includes(name)),
    notFinite: merged.matched.filter(name => !(params[name].data as Float32Array).every(Number.isFinite)),
  };
}

/** An array whose values are read when they are first looked at: those of unexpected tensors never are, whatever they hold. */
function unread(tensor: { readonly shape: Shape; read(): NDArray }): NDArray {
  let array: NDArray | undefined;
  const opened = (): NDArray => {
    array ??= tensor.read();
    return array;
  };
  return {
    shape: tensor.shape,
    get dtype() {
      return opened().dtype;
    },
    get data() {
      return opened().data;
    },
  };
}

async function configFor(
  { own }: SourceWeights,
  { config: name, sets = [], model, classes }: ImportOptions,
): Promise<{ name: string; config: LocalizationConfig }> {
  const preset = model.preset(isPublishedClasses(classes) ? classes : undefined);
  const chosen = name ?? (own ? 'the model' : preset);
  const config = name === undefined && own ? changed(own.config, sets) : (await loadConfigOrRun(chosen, { sets })).config;
  if (config.task !== 'localization' || config.method !== model.method)
    throw new Error(
      `${chosen}: its method is ${config.method}, not ${model.method} (--model ${config.method}, or another --config)`,
    );
  return { name: chosen, config };
}

/** A configuration with overrides such as `train.seed=5`. */
function changed(config: Config, sets: readonly string[]): Config {
  const values = sets.map(parseOverride).reduce<unknown>((base, over) => deepMerge(base, over.values), config);
  return parseConfig(values, 'the model');
}

/** Undefined where nobody says what the classes are called, and nobody has to. */
async function classesFor(
  { own }: SourceWeights,
  where: string,
  { name, config }: { readonly name: string; readonly config: LocalizationConfig },
  count: number | undefined,
  { classes: text, onlyLook }: ImportOptions,
): Promise<string[] | undefined> {
  const classes = text !== undefined ? await readClassNames(text) : (config.data.classes ?? own?.classes);
  const wanted = count === undefined ? 'names' : `${count} names`;
  const give = `give ${wanted} by --classes (a JSON or text file, a,b,c, thumos14 or activitynet)`;
  if (!classes) {
    if (onlyLook && count !== undefined) return undefined;
    const says = count === undefined ? 'does not say how many classes it has' : `has ${count} classes and does not say which`;
    throw new DataError(where, `it ${says}; ${give}, or a --config that names them`);
  }
  if (count !== undefined && classes.length !== count) {
    const source = text === undefined ? `data.classes of ${name}` : `--classes ${text}`;
    throw new DataError(where, `it has ${count} classes, ${source} ${classes.length}; ${give}`);
  }
  return [...classes];
}

/** At least one name must be one of the model's. */
function mustMatch(found: ReadonlyMap<string, unknown>, expected: readonly string[], where: string): void {
  if (expected.some(name => found.has(name))) return;
  const some = (names: readonly string[]) => `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
  throw new DataError(
    where,
    `none of its names is one of the model: expected ${some(expected)}, found ${some([...found.keys()])}`,
  );
}

/**
 * Refuses to make a model of weights of which some have another shape: with a fresh classifier, say, it would be useless, and nobody would
 * see it. With `strict`, of weights that lack something or have more, too.
 * @throws DataError naming all that is wrong
 */
export function mustFit({ merged }: ImportedModel, { others }: SourceWeights, where: string, strict: boolean): void {
  const { wrongShape, missing } = merged;
  if (wrongShape.length > 0) {
    const list = wrongShape.map(({ name, expected, found }) => `${name} is ${showShape(found)}, not ${showShape(expected)}`);
    const hint = 'import it with the classes and widths it was trained with; train --from goes on from there';
    throw new DataError(where, `nothing was written: ${list.join('; ')} (${hint})`);
  }
  const unexpected = [...merged.unexpected, ...others];
  if (strict && missing.length + unexpected.length > 0) {
    const parts = [...missing.map(name => `${name} is missing`), ...unexpected.map(name => `${name} is unexpected`)];
    throw new DataError(where, `nothing was written: ${parts.join('; ')} (--strict)`);
  }
}

/** Endings of weights that are read and not written. */
const foreignEndings = new Set(['.pth', '.pt', '.pyth', '.pkl', '.ckpt', '.tar', '.npz', '.npy', '.onnx']);

/**
 * Refuses a place that must not or cannot be written to, before long work.
 * @returns whether the model becomes a run folder, or (`.safetensors`) a file
 * @throws DataError for a folder that holds something; a file that exists, unless `force` allows to replace it; the ending of another format
 */
export async function checkTarget(to: string, force: boolean): Promise<'run' | 'file'> {
  const ending = extname(to).toLowerCase();
  if (ending === '.safetensors') {
    await requireNewFile(to, force);
    return 'file';
  }
  const found = await stat(to).catch(() => undefined);
  if (!found && foreignEndings.has(ending))
    throw new DataError(to, `expected a new run folder, or a file ending in .safetensors, found the ending ${ending}`);
  if (found && !found.isDirectory())
    throw new DataError(to, 'expected a new run folder, or a file ending in .safetensors, found another file');
  const files = found ? await readdir(to) : [];
  if (files.length > 0) throw new DataError(to, `expected a new or empty folder, found ${files.length} files`);
  await requireWritable(to);
  return 'run';
}

/** Writes a model that fits ({@link mustFit}) as one file, or as a run that stands before its first epoch; `predict` and `train --from` take both. */
export async function writeImported(
  to: string,
  as: 'run' | 'file',
  { params, classes, config }: Omit<Model, 'source'>,
  source: string,
): Promise<void> {
  if (as === 'file') return writeModel(to, { params, classes, config });
  await makeFolder(to);
  const optimizer = kindOf(config).optimizer(config).init(params);
  await saveLast(to, { epoch: 0, params, optimizer }, modelMetadata({ classes, config }));
  await writeModel(join(to, 'model.safetensors'), { params, classes, config });
  const { task, method } = config;
  await writeRunRecord(to, {
    format: 1,
    task,
    method,
    classes: [...classes],
    from: null,
    imported: resolve(source),
    sessions: [],
  });
  // Last, for it is what makes a folder a run.
  await writeFileAtomic(join(to, runConfigFile), dumpConfig(config));
}
