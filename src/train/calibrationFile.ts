/** What a task adds to trained weights for their use (Node): of open-set recognition, what says which uncertainty is unknown. */
import { join } from 'node:path';
import { DataError, exists, weightsDigest } from '../data/index.ts';
import type { Params } from '../nn/index.ts';
import { calibratedWeights } from '../openset/calibration.ts';
import { readWeights, type Warner } from './checkpoint.ts';

/** What a calibration's arrays are called in a model file, beside the parameters. */
const prefix = 'calibration.';

/** The arrays of a model file: parameters, and what goes with them (names without the prefix), if anything does. */
export function splitCalibration(tensors: Readonly<Params>): { params: Params; calibration?: Params } {
  const named = Object.entries(tensors);
  const own = named.filter(([name]) => name.startsWith(prefix));
  if (own.length === 0) return { params: tensors };
  return {
    params: Object.fromEntries(named.filter(([name]) => !name.startsWith(prefix))),
    calibration: Object.fromEntries(own.map(([name, array]) => [name.slice(prefix.length), array])),
  };
}

/** The reverse of {@link splitCalibration}. */
export function joinCalibration({ params, calibration = {} }: { params: Params; calibration?: Params }): Params {
  return { ...params, ...Object.fromEntries(Object.entries(calibration).map(([name, array]) => [prefix + name, array])) };
}

/** The calibration files of a run folder: of tests in training, then of `inkling test`. */
const files = ['', 'best-', 'test-last-', 'test-best-'].map(start => `${start}calibration.safetensors`);

/**
 * The calibration in a run folder that was made with these very weights; undefined if it has none. Files are told apart by the weights they
 * name, not by their own names: a run that was killed between a test and its checkpoint has a calibration of weights that are not there.
 * A damaged file is left out, which is said.
 */
export async function readCalibration(run: string, params: Readonly<Params>, { warn }: Warner): Promise<Params | undefined> {
  let digest: string | undefined;
  for (const file of files) {
    const path = join(run, file);
    if (!(await exists(path))) continue;
    try {
      const { tensors, metadata } = await readWeights(path);
      digest ??= weightsDigest(params);
      if (metadata[calibratedWeights] === digest) return tensors;
    } catch (thrown) {
      if (!(thrown instanceof DataError)) throw thrown;
      warn(`${thrown.message}; it is left out`);
    }
  }
  return undefined;
}
