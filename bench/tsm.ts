/**
 * `npm run bench:tsm [-- --python PATH] [--threads 2] [--clips 1] [--size 224] [--rounds 3] [--steps 5] [--kind infer|train]`: TSM-ResNet50 over 8
 * frames beside PyTorch's, inference and a training step, in one run, taking turns. Prints medians and minima of the time, the processor time
 * (which other programs on the machine disturb less; spinning threads count) and the ratios ours / PyTorch's; without PyTorch, ours alone.
 */
import { parseArgs } from 'node:util';
import { findPython, median, runForJson } from './peer.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    threads: { type: 'string', default: '2' },
    clips: { type: 'string', default: '1' },
    size: { type: 'string', default: '224' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
    kind: { type: 'string' },
  },
});

interface Measured {
  readonly seconds: number[];
  readonly cpu: number[];
  readonly megabytes: number;
  readonly version?: string;
}

const python = findPython(values.python);
const run = runForJson<Measured>;
const numbers = [values.clips, '8', values.size, '101', values.threads, values.steps];
const sides: Record<string, (kind: string) => Measured> = {
  ours: kind => run(process.execPath, ['--import', 'tsx', 'bench/tsmStep.ts', kind, ...numbers]),
  ...(python && { PyTorch: (kind: string) => run(python, ['bench/pytorch/tsm_step.py', kind, ...numbers]) }),
};

console.log(`TSM-ResNet50, ${values.clips} x 8 frames of ${values.size} x ${values.size}, ${values.threads} threads`);
for (const kind of values.kind ? [values.kind] : ['infer', 'train']) {
  const results: Record<string, Record<'seconds' | 'cpu' | 'megabytes', number[]>> = {};
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [side, measure] of Object.entries(sides)) {
      const { seconds, cpu, megabytes, version } = measure(kind);
      const name = version ? `${side} ${version}` : side;
      results[name] ??= { seconds: [], cpu: [], megabytes: [] };
      // The first step loads and warms up.
      results[name].seconds.push(...seconds.slice(1));
      results[name].cpu.push(...cpu.slice(1));
      results[name].megabytes.push(megabytes);
    }
  }
  for (const [name, { seconds, cpu, megabytes }] of Object.entries(results)) {
    const time = `${median(seconds).toFixed(3)} s (least ${Math.min(...seconds).toFixed(3)})`;
    const busy = `processor ${median(cpu).toFixed(3)} s (least ${Math.min(...cpu).toFixed(3)})`;
    console.log(`${kind.padEnd(6)} ${name.padEnd(22)} ${time}  ${busy}  ${Math.max(...megabytes).toFixed(0)} MB`);
  }
  const [ours, theirs] = Object.values(results);
  if (theirs) {
    const ratio = (f: (numbers: number[]) => number, of: 'seconds' | 'cpu') => (f(ours[of]) / f(theirs[of])).toFixed(2);
    const least = (list: number[]) => Math.min(...list);
    console.log(
      `${kind.padEnd(6)} ours / PyTorch's: time ${ratio(median, 'seconds')} (least ${ratio(least, 'seconds')}), processor ${ratio(median, 'cpu')} (least ${ratio(least, 'cpu')})`,
    );
  }
}
