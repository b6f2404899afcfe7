/** Options of commands that run a backbone over frames; `extract` has more. */
import { InvalidArgumentError, Option } from 'commander';
import { parseCount } from './arguments.ts';

/** How pictures become the backbone's input. */
export function backboneOptions(): Option[] {
  return [
    new Option('--output <name>', 'the output of the model to take'),
    new Option('--size <pixels>', 'side of the square input (default: what the model fixes, else 224)').argParser(parseCount),
    new Option(
      '--short-side <pixels>',
      'short side that frames are scaled to before the square is cut out (default: --size)',
    ).argParser(parseCount),
    new Option('--scale <number>', 'a value is (pixel x scale - mean) / std; may be a fraction (default: 1/255)').argParser(
      parseScale,
    ),
    new Option('--mean <numbers>', 'one, or three for R, G and B, with commas (default: 0)').argParser(parseChannels),
    new Option('--std <numbers>', 'one, or three for R, G and B, with commas (default: 1)').argParser(parseChannels),
    new Option('--window <frames>', 'frames behind one row (default: 1, or what the model fixes)').argParser(parseCount),
    new Option('--batch <n>', 'inputs in one run of the model (default: 8)').argParser(parseCount),
    new Option('--layout <axes>', 'axes of the input').choices(['nchw', 'nhwc', 'ncthw', 'ntchw', 'nthwc']),
  ];
}

/** A number above 0. @throws InvalidArgumentError naming what was expected */
export function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

/** A number above 0, or a fraction of two. @throws InvalidArgumentError naming what was expected */
export function parseScale(text: string): number {
  const [over, under = '1', ...more] = text.split('/');
  if (more.length > 0) throw new InvalidArgumentError('expected a number, or a fraction such as 1/255.');
  return parsePositive(over) / parsePositive(under);
}

/** One number, or three. @throws InvalidArgumentError naming what was expected */
export function parseChannels(text: string): number[] {
  const values = text.split(',').map(Number);
  if (text.trim() === '' || ![1, 3].includes(values.length) || !values.every(Number.isFinite))
    throw new InvalidArgumentError('expected one number, or three with commas.');
  return values;
}
