/** What `train` trains and where to. */

import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type Config, loadConfig, loadRunConfig, withDataFolder } from '../train/config.ts';

/** Options of `train` as they are given. */
export interface TrainOptions {
  readonly data?: string;
  readonly out?: string;
  readonly seed?: number;
  readonly from?: string;
  readonly resume?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

/** A configuration and the run folder. */
export interface TrainTarget {
  readonly config: Config;
  readonly out: string;
  readonly resume: boolean;
}

/**
 * The configuration and run folder that arguments of `train` mean.
 * @throws Error if neither a configuration nor `--resume` is given, or both, or options that a resumed run cannot take
 */
export async function trainTarget(name: string | undefined, options: TrainOptions): Promise<TrainTarget> {
  const { set = [] } = options;
  if (options.resume !== undefined) {
    const other = name ?? (['out', 'seed', 'from'] as const).map(key => options[key] !== undefined && `--${key}`).find(Boolean);
    if (other || set.length > 0) {
      throw new Error(`--resume goes on with the run's own configuration; leave out ${other || '--set'}`);
    }
    const config = await loadRunConfig(options.resume);
    return { config: withData(config, options.data), out: options.resume, resume: true };
  }
  if (name === undefined) throw new Error('expected a configuration, such as localization/thumos14/acm-net, or --resume RUN');
  const sets = options.seed === undefined ? set : [...set, `train.seed=${options.seed}`];
  const config = withData((await loadConfig(name, { sets })).config, options.data);
  return { config, out: options.out ?? (await freshFolder(join('runs', runName(name, config.train.seed)))), resume: false };
}

function withData(config: Config, dir: string | undefined): Config {
  return dir === undefined ? config : withDataFolder(config, dir);
}

/** `<dataset>-<method>-<seed>`, which are the last two parts of a configuration's path. */
export function runName(config: string, seed: number): string {
  const parts = config.slice(0, config.length - extname(config).length).split(/[\\/]/);
  const named = parts.filter(part => part !== '' && part !== '.' && part !== '..');
  return [...named.slice(-2), seed].join('-');
}

/** The path itself, or with a number after it, whichever first is no folder with something in it. */
async function freshFolder(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    const files = await readdir(candidate).catch(() => []);
    if (files.length === 0) return candidate;
  }
}
