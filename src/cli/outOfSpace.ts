import { join } from 'node:path';
import { exists, isOutOfSpace } from '../data/files.ts';
import { runConfigFile } from '../train/config.ts';
import { AdvisedError } from './errors.ts';
import { shellWord } from './shellWord.ts';

/** What ended a training, with how to go on where only room was missing. */
export async function adviseOnSpace(thrown: unknown, run: string): Promise<unknown> {
  if (!(thrown instanceof Error) || !isOutOfSpace(thrown)) return thrown;
  const isRun = await exists(join(run, runConfigFile));
  return new AdvisedError(
    thrown,
    `free some space, then: ${isRun ? `inkling train --resume ${shellWord(run)}` : 'the same command again'}`,
  );
}
