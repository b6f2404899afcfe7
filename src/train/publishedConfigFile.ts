/** Published HyRSM++ configurations on disk (Node only). */
import { stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { stringify } from 'yaml';
import { readText, requireNewFile, writeFileAtomic } from '../data/files.ts';
import { DataError } from '../data/formats/dataError.ts';
import { type FewshotConfig, fewshotConfig } from '../fewshot/config.ts';
import { isTree, publishedDefaults, resolvePublished, type Tree } from '../fewshot/publishedConfig.ts';
import { type ImportedConfig, importPublished, type PublishedKeysOptions } from '../fewshot/publishedKeys.ts';
import { checkAgainst } from './config.ts';
import { findConfig, parseYaml, readConfigLayers } from './configFile.ts';

/** The configuration of ours that an imported one starts from. */
const importBase = 'fewshot/video';

/** A published configuration, imported and checked. */
export interface ImportedConfigFile extends ImportedConfig {
  /** Resolved. */
  readonly config: FewshotConfig;
  /** The text of a file that resolves to it. */
  readonly text: string;
}

/**
 * Reads a published configuration with everything that it starts from, and says it in our keys.
 * @param path the YAML file; `configs/pool/base.yaml` of the published code must be in the current directory or in a folder above the file
 * @throws DataError in one line: no such file or defaults, not YAML, a chain in a circle, a key whose value cannot be had here
 */
export async function importPublishedConfig(
  path: string,
  {
    overrides = [],
    behaviour = 'intended',
  }: { readonly overrides?: readonly string[]; readonly behaviour?: PublishedKeysOptions['behaviour'] } = {},
): Promise<ImportedConfigFile> {
  if (!(await isFile(path))) throw new DataError(path, 'no such file');
  const root = await findRoot(path);
  const read = async (name: string): Promise<Tree> => {
    const file = join(root, name);
    const values = parseYaml(await readText(file), file) ?? {};
    if (!isTree(values)) throw new DataError(file, 'expected a mapping of keys to values');
    return values;
  };
  const top = relative(root, resolve(path)).split(sep).join('/');
  const parseValue = (text: string): unknown => parseYaml(text, `--set ${text}`);
  const tree = withFolders(await resolvePublished(top, { read, overrides, parseValue }), root);
  const validation = await hasValidation(tree);
  const imported = importPublished(tree, path, { behaviour, validation }, await read(publishedDefaults));
  const base = await readConfigLayers(await findConfig(importBase));
  const config = checkAgainst(fewshotConfig, [...base, { where: path, values: imported.values }]);
  const head = `# From ${top}${behaviour === 'published' ? ', as the published program does it' : ''}.\n`;
  const text = head + stringify({ extends: importBase, ...imported.values }, { lineWidth: 130 });
  return { ...imported, config, text };
}

/** Writes an imported configuration. @throws DataError if the file is there already and may not be replaced */
export async function writeImportedConfig(to: string, { text }: ImportedConfigFile, force: boolean): Promise<void> {
  await requireNewFile(to, force);
  await writeFileAtomic(to, text);
}

/** The root of the published code: the nearest folder, the current one first, with its global defaults. */
async function findRoot(path: string): Promise<string> {
  const above: string[] = [];
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    above.push(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of [process.cwd(), ...above]) if (await isFile(join(folder, publishedDefaults))) return folder;
  throw new DataError(
    path,
    `expected ${publishedDefaults} of the published code in the current directory or above the file, found none`,
  );
}

/** With the folders of data and lists, which the published program takes from where it runs, as whole paths. */
function withFolders(tree: Tree, root: string): Tree {
  if (!isTree(tree.DATA)) return tree;
  const folders = ['DATA_ROOT_DIR', 'ANNO_DIR'].flatMap(key => {
    const folder = (tree.DATA as Tree)[key];
    return typeof folder === 'string' && folder !== '' ? [[key, resolve(root, folder)] as const] : [];
  });
  return { ...tree, DATA: { ...tree.DATA, ...Object.fromEntries(folders) } };
}

/** Whether there is a list of validation videos, as far as can be seen from here. */
async function hasValidation(tree: Tree): Promise<boolean> {
  const folder = isTree(tree.DATA) ? tree.DATA.ANNO_DIR : undefined;
  if (typeof folder !== 'string') return true;
  const trainThere = await isFile(join(folder, 'train_few_shot.txt'));
  return !trainThere || isFile(join(folder, 'val_few_shot.txt'));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  );
}
