/** The files that command-line inputs mean. */

import { readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, parse, relative } from 'node:path';
import type { FeatureInput } from '../train/predict.ts';

/**
 * Files as they are, folders as the `.npy` and `.npz` files in them (or in their `rgb/` and `flow/`, put side by side), sorted by name, lists
 * (`.txt`) as the files that their lines name, relative to the list's folder.
 * @throws Error naming an input that does not exist, or a folder or list without feature files
 */
export async function featureInputs(inputs: readonly string[]): Promise<FeatureInput[]> {
  const found: FeatureInput[] = [];
  for (const input of inputs) {
    const stats = await stat(input).catch(() => undefined);
    if (!stats) throw new Error(`${input}: no such file or folder`);
    if (stats.isFile() && /\.txt$/i.test(input)) found.push(...(await inputsOfList(input)));
    else if (!stats.isDirectory()) found.push({ name: parse(input).name, files: [input] });
    else found.push(...(await inputsOfFolder(input)));
  }
  return found;
}

/**
 * Videos as they are, folders as all videos in them and in their folders, lists (`.txt`) as the videos that their lines name.
 * @throws DataError naming an input that does not exist, or a folder without videos
 */
export async function videoInputs(inputs: readonly string[]): Promise<FeatureInput[]> {
  const { findVideos } = await import('../video/videoFiles.ts');
  const found = await Promise.all(inputs.map(input => findVideos(input)));
  return found.flat().map(({ name, path }) => ({ name, files: [relative(process.cwd(), path)] }));
}

async function inputsOfList(list: string): Promise<FeatureInput[]> {
  const { readText } = await import('../data/files.ts');
  const { parseVideoList } = await import('../video/lists.ts');
  return parseVideoList(await readText(list), list).map(({ path }) => ({
    name: parse(path).name,
    files: [isAbsolute(path) ? path : join(dirname(list), path)],
  }));
}

async function inputsOfFolder(folder: string): Promise<FeatureInput[]> {
  const isStream = async (name: string) => (await stat(join(folder, name)).catch(() => undefined))?.isDirectory() === true;
  const streams = (await isStream('rgb')) && (await isStream('flow'));
  const names = (await readdir(streams ? join(folder, 'rgb') : folder)).filter(name => /\.np[yz]$/i.test(name)).sort();
  if (names.length === 0) throw new Error(`${folder}: expected feature files (.npy, .npz), found none`);
  return names.map(file => ({
    name: parse(file).name,
    files: streams ? [join(folder, 'rgb', file), join(folder, 'flow', file)] : [join(folder, file)],
  }));
}
