/**
 * `npm run bench [-- --quick] [--python PATH] [--threads 2] [--rounds 3]`: training steps beside PyTorch's, in one run, taking turns. Prints
 * medians and the ratios ours / PyTorch's; without PyTorch, ours alone.
 */
import { parseArgs } from 'node:util';
import { findPython, median, runForJson } from './peer.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    python: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '4' },
  },
});
const [batch, time, width, classes] = values.quick ? [16, 64, 512, 12] : [16, 750, 2048, 20];

interface Measured {
  readonly seconds: number[];
  readonly megabytes: number;
  readonly version?: string;
}

const python = findPython(values.python);
const run = runForJson<Measured>;
const shape = [batch, time, width, classes, Number(values.threads), Number(values.steps)].map(String);
const ours = (kind: string) => run(process.execPath, ['--import', 'tsx', 'bench/acmStep.ts', kind, ...shape]);
const torch = (streams: number) => {
  const [b, ...rest] = shape;
  return run(python as string, ['bench/pytorch/acm_step.py', b, String(streams), ...rest]);
};

const kinds: Record<string, () => Measured> = {
  'ACM-Net step': () => ours('acm'),
  'FTCL pair step': () => ours('pair'),
  'FTCL pair step without sequence terms': () => ours('pair-plain'),
  ...(python ? { 'PyTorch, one stream': () => torch(1), 'PyTorch, two streams, no sequence terms': () => torch(2) } : {}),
};
const results: Record<string, { seconds: number[]; megabytes: number[]; version?: string }> = {};
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, measure] of Object.entries(kinds)) {
    const { seconds, megabytes, version } = measure();
    results[name] ??= { seconds: [], megabytes: [], version };
    // The first step loads and warms up.
    results[name].seconds.push(...seconds.slice(1));
    results[name].megabytes.push(megabytes);
    console.error(`round ${round + 1}: ${name} ${median(seconds.slice(1)).toFixed(3)} s`);
  }
}

console.log(
  `batch ${batch}, T = ${time}, F = ${width}, ${values.threads} threads; medians of ${values.rounds} rounds${python ? `; PyTorch ${results['PyTorch, one stream'].version}` : '; no PyTorch found'}`,
);
for (const [name, { seconds, megabytes }] of Object.entries(results)) {
  const spread = `${Math.min(...seconds).toFixed(3)} … ${Math.max(...seconds).toFixed(3)}`;
  console.log(`${name.padEnd(42)} ${median(seconds).toFixed(3)} s (${spread})  ${Math.max(...megabytes).toFixed(0)} MB`);
}
const ratio = (a: string, b: string) => {
  const [x, y] = [results[a], results[b]];
  if (x && y)
    console.log(
      `${a} / ${b}: time ${(median(x.seconds) / median(y.seconds)).toFixed(3)}, memory ${(Math.max(...x.megabytes) / Math.max(...y.megabytes)).toFixed(3)}`,
    );
};
ratio('ACM-Net step', 'PyTorch, one stream');
ratio('FTCL pair step', 'PyTorch, two streams, no sequence terms');
ratio('FTCL pair step', 'FTCL pair step without sequence terms');
