/** The clips that command-line inputs of a taught recogniser mean. */
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { isFeatureFile } from '../train/clipReader.ts';
import { featureInputs, videoInputs } from './featureInputs.ts';

/**
 * Files as they are; folders and lists (`.txt`) as the videos in them if there is a backbone for videos, else as their feature files.
 * @throws Error naming an input that does not exist, or a folder or list without such files
 */
export async function clipInputs(inputs: readonly string[], hasBackbone: boolean): Promise<string[]> {
  const files: string[] = [];
  for (const input of inputs) {
    const isFile = (await stat(input).catch(() => undefined))?.isFile() === true;
    if (isFeatureFile(input) || (isFile && extname(input).toLowerCase() !== '.txt')) files.push(input);
    else files.push(...(await (hasBackbone ? videoInputs([input]) : featureInputs([input]))).map(found => found.files[0]));
  }
  return files;
}
