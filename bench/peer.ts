/** PyTorch beside us: where it is, and how both sides are run and summed up. */
import { execFileSync, spawnSync } from 'node:child_process';
import { allocatorSettings } from '../src/cli/allocator.ts';

/** Any Python that is found first; Debian's, which `python3-torch` serves. */
export const anyPython = ['python3', '/usr/bin/python3'];
export const debianPython = ['/usr/bin/python3', 'python3'];

/** The given Python or, without one, the first candidate that can import PyTorch; undefined if none can. */
export function findPython(given: string | undefined, candidates: readonly string[] = anyPython): string | undefined {
  const list = given === undefined ? candidates : [given];
  return list.find(python => spawnSync(python, ['-c', 'import torch']).status === 0);
}

/**
 * Runs a command that prints one JSON object as its last line. Each side is run as its users start it: our command line sets the
 * allocator, PyTorch's default environment does not.
 */
export function runForJson<T>(command: string, args: readonly string[]): T {
  const env = { ...process.env, ...(command === process.execPath ? allocatorSettings : {}) };
  const output = execFileSync(command, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1e8 });
  return JSON.parse(output.trim().split('\n').at(-1) as string) as T;
}

/** The middle number, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
