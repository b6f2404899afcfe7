/** Values of command-line options. */

import { InvalidArgumentError } from 'commander';

/** A whole number of at least 0. @throws InvalidArgumentError naming what was expected */
export function parseSeed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('expected a whole number of at least 0.');
  return value;
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
