/** Weights of other programs as models of ours (Node). */

import { resolve } from 'node:path';
import { DataError } from '../data/index.ts';
import { type Shape, showShape } from '../engine/index.ts';
import { fold, key } from '../engine/random.ts';
import { isPublishedClasses, readClassNames } from './classNames.ts';
import { type Config, loadConfigOrRun, parseConfig, withDataFolder } from './config.ts';
import { parseOverride } from './configFile.ts';
import { deepMerge, isMapping, valueAt } from './configTree.ts';
import { type Matched, matchWeights } from './matchWeights.ts';
import type { Model } from './model.ts';
import type { ModelKind } from './models.ts';
import type { SourceWeights } from './sourceWeights.ts';
import { kindOf } from './tasks.ts';

/** How weights become a model. */
export interface ImportOptions {
  readonly model: ModelKind;
  /** A configuration or run; default: the preset of the model. */
  readonly config?: string;
  readonly sets?: readonly string[];
  /** Class names as in {@link readClassNames}; default: those of the configuration, or what a model of ours says of itself. */
  readonly classes?: string;
  /** The model is looked at and not written: where nobody names its classes, numbers stand for them. */
  readonly onlyLook?: boolean;
}

/** Imported weights, matched to the parameters of a model. */
export interface ImportedModel extends Matched, Omit<Model, 'source' | 'params'> {
  /** Whether the classes have their names, or numbers in place of them ({@link ImportOptions.onlyLook}). */
  readonly isNamed: boolean;
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
  const given = await configFor(weights, options, shapes);
  const adaptedConfig = parseConfig(deepMerge(given.config, inferred.config), given.name);
  const kind = kindOf(adaptedConfig);
  mustMatch(shapes, Object.keys(kind.shapes(adaptedConfig, 1)), where);
  const named = await classesFor(weights, where, given, inferred.classes, options);
  const classes = named ?? Array.from({ length: inferred.classes ?? 0 }, (_, i) => String(i));
  const withNames = kind.withClasses(withDataFolder(adaptedConfig, resolve(adaptedConfig.data.dir)), classes);
  const config = named ? parseConfig(withNames, given.name) : withNames;
  const params = kind.init(config, classes.length, fold(key(config.train.seed), 'init'));
  return {
    params,
    classes,
    isNamed: named !== undefined,
    config,
    base: given.name,
    adapted: differences(given.config, inferred.config),
    ...matchWeights(params, weights, name => model.trainingOnly.includes(name)),
  };
}

/** Keys of a configuration that have other values in an overlay, with both. */
function differences(config: unknown, overlay: unknown, path: readonly string[] = []): string[] {
  if (isMapping(overlay))
    return Object.entries(overlay).flatMap(([name, value]) => differences(valueAt(config, [name]), value, [...path, name]));
  return config === overlay ? [] : [`${path.join('.')}: ${overlay}, not ${config}`];
}

async function configFor(
  { own }: SourceWeights,
  { config: name, sets = [], model, classes }: ImportOptions,
  shapes: ReadonlyMap<string, Shape>,
): Promise<{ name: string; config: Config }> {
  const preset = model.preset(isPublishedClasses(classes) ? classes : undefined, shapes);
  const chosen = name ?? (own ? 'the model' : preset);
  const config = name === undefined && own ? changed(own.config, sets) : (await loadConfigOrRun(chosen, { sets })).config;
  if (config.task !== model.task || config.method !== model.method)
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
  { name, config }: { readonly name: string; readonly config: Config },
  count: number | undefined,
  { classes: text, onlyLook }: ImportOptions,
): Promise<string[] | undefined> {
  const classes = text !== undefined ? await readClassNames(text) : (kindOf(config).classNames(config) ?? own?.classes);
  const wanted = count === undefined ? 'names' : `${count} names`;
  const give = `give ${wanted} by --classes (a JSON or text file, a,b,c, thumos14 or activitynet)`;
  if (!classes) {
    if (onlyLook && count !== undefined) return undefined;
    const says = count === undefined ? 'does not say how many classes it has' : `has ${count} classes and does not say which`;
    throw new DataError(where, `it ${says}; ${give}, or a --config that names them`);
  }
  if (count !== undefined && classes.length !== count) {
    const source = text === undefined ? `${kindOf(config).classesKey} of ${name}` : `--classes ${text}`;
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
export function mustFit({ merged }: Matched, { others }: SourceWeights, where: string, strict: boolean): void {
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
