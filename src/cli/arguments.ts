/** Values of command-line options. */

import { InvalidArgumentError, Option } from 'commander';
import { type ClassDistance, classDistances } from '../fewshot/classDistance.ts';

/** A whole number of at least 0. @throws InvalidArgumentError naming what was expected */
export function parseSeed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('expected a whole number of at least 0.');
  return value;
}

/** A whole number of at least 1. @throws InvalidArgumentError naming what was expected */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number of at least 1.');
  return value;
}

/** A number between 0 and 1, neither of them. @throws InvalidArgumentError naming what was expected */
export function parseFraction(text: string): number {
  const value = Number(text);
  if (!(text.trim() !== '' && value > 0 && value < 1)) throw new InvalidArgumentError('expected a number between 0 and 1.');
  return value;
}

/** Where a trained model runs, in the place of where it was trained. */
export function deviceOption(): Option {
  return new Option('--device <device>', 'where to run (default: as in training)').choices(['cpu', 'cuda', 'webgpu']);
}

/** How far a clip is from a class of several clips. */
export function classDistanceOption(byDefault: ClassDistance): Option {
  return new Option('--class-distance <which>', 'how far a class of several clips is: to its nearest clip, or the mean over them')
    .choices(classDistances)
    .default(byDefault);
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
