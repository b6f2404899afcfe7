/**
 * `tsx bench/checkpoint.ts [--rounds 5] [--dir FOLDER] [--python PATH]`: saves, loads (with its check) and imports a checkpoint of 25 million
 * parameters, shaped like a ResNet-50's (100 MB of float32 in 161 tensors), each in a process of its own, so that memory is its own.
 * What is imported is the same weights as PyTorch saves them (`bench/pytorch/resnet50_checkpoint.py`); without PyTorch that is left out.
 * Prints medians. Beside them, what training does: weights and Adam's state, 300 MB.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readBytes, writeFileAtomic } from '../src/data/index.ts';
import { ndarray } from '../src/engine/index.ts';
import { adam, type Params } from '../src/nn/index.ts';
import { loadLast, saveLast } from '../src/train/checkpoint.ts';
import { readPointer, readTensors, writeTensors } from '../src/train/pointer.ts';
import { silentReporter } from '../src/train/reporter.ts';
import { readSourceWeights } from '../src/train/sourceWeights.ts';
import { debianPython, findPython, median } from './peer.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
    python: { type: 'string' },
  },
});

/** Parameters of a ResNet-50 under their published names: 161 tensors, 25,557,032 numbers. */
function resnet50(): Params {
  const params: Params = {};
  let seed = 1;
  const add = (name: string, ...shape: number[]): void => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    // Noise that does not compress, from a plain congruential generator.
    for (let i = 0; i < data.length; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      data[i] = seed / 2 ** 31;
    }
    params[name] = ndarray('float32', shape, data);
  };
  const norm = (name: string, width: number): void => {
    add(`${name}.weight`, width);
    add(`${name}.bias`, width);
  };
  add('conv1.weight', 64, 3, 7, 7);
  norm('bn1', 64);
  let input = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 << stage;
    for (let block = 0; block < blocks; block++) {
      const at = `layer${stage + 1}.${block}`;
      add(`${at}.conv1.weight`, width, input, 1, 1);
      norm(`${at}.bn1`, width);
      add(`${at}.conv2.weight`, width, width, 3, 3);
      norm(`${at}.bn2`, width);
      add(`${at}.conv3.weight`, 4 * width, width, 1, 1);
      norm(`${at}.bn3`, 4 * width);
      if (block === 0) {
        add(`${at}.downsample.0.weight`, 4 * width, input, 1, 1);
        norm(`${at}.downsample.1`, 4 * width);
      }
      input = 4 * width;
    }
  }
  add('fc.weight', 1000, input);
  add('fc.bias', 1000);
  return params;
}

const bytesOf = (params: Params): number => Object.values(params).reduce((sum, { data }) => sum + data.byteLength, 0);

const checkpointFile = 'checkpoint.pth';

/** Reads a checkpoint of PyTorch as `import` does: finds the weights in it and gives each as an array. */
async function importWeights(run: string): Promise<number> {
  const { tensors } = await readSourceWeights(join(run, checkpointFile));
  let count = 0;
  for (const tensor of tensors.values()) count += tensor.read().data.length;
  return count;
}

/** What is measured, each in a process that does nothing else; `run` is a folder with a saved checkpoint, but for `save`. */
const works: Record<string, (run: string) => Promise<() => Promise<unknown>>> = {
  'save weights': async run => {
    const params = resnet50();
    return () => writeTensors(join(run, 'checkpoints/saved.safetensors'), params, {});
  },
  'the same bytes, plainly written': async run => {
    const bytes = await readBytes(join(run, 'checkpoints/epoch-0001.safetensors'));
    return () => writeFileAtomic(join(run, 'plain.safetensors'), bytes);
  },
  'load weights': async run => {
    const pointer = await readPointer(run, 'last');
    if (!pointer) throw new Error('no checkpoint');
    return () => readTensors(run, pointer, pointer.weights);
  },
  'save weights, then load them': async run => {
    const params = resnet50();
    return async () => {
      const file = 'saved.safetensors';
      const content = await writeTensors(join(run, 'checkpoints', file), params, {});
      await readTensors(run, { epoch: 1, weights: file, files: { [file]: content } }, file);
    };
  },
  'import a .pth': async run => () => importWeights(run),
  'save, load and import': async run => {
    const params = resnet50();
    return async () => {
      const file = 'saved.safetensors';
      const content = await writeTensors(join(run, 'checkpoints', file), params, {});
      await readTensors(run, { epoch: 1, weights: file, files: { [file]: content } }, file);
      await importWeights(run);
    };
  },
  'SHA-256 of as much': async run => {
    const bytes = await readBytes(join(run, 'checkpoints/epoch-0001.safetensors'));
    return async () => createHash('sha256').update(bytes).digest('hex');
  },
  'save weights and state': async run => {
    const params = resnet50();
    const optimizer = adam({}).init(params);
    return () => saveLast(run, { epoch: 2, params, optimizer }, {});
  },
  'load weights and state': async run => () => loadLast(run, 1, silentReporter()),
};

interface Measured {
  readonly seconds: number;
  /** Of the peak over what the process held before anything was made: the parameters to be saved count. */
  readonly megabytes: number;
}

async function measure(name: string, run: string): Promise<Measured> {
  const before = process.memoryUsage.rss() / 1024;
  const work = await works[name](run);
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  return { seconds, megabytes: (process.resourceUsage().maxRSS - before) / 1024 };
}

async function compare(): Promise<void> {
  const run = mkdtempSync(join(values.dir, 'inkling-checkpoint-'));
  try {
    const params = resnet50();
    await saveLast(run, { epoch: 1, params, optimizer: adam({}).init(params) }, {});
    const count = Object.keys(params).length;
    console.log(
      `${(bytesOf(params) / 4e6).toFixed(1)} million parameters, ${count} tensors, ${(bytesOf(params) / 1e6).toFixed(0)} MB; ${run}`,
    );
    const python = findPython(values.python, debianPython);
    if (python) {
      await writeTensors(join(run, 'weights.safetensors'), params, {});
      execFileSync(python, ['bench/pytorch/resnet50_checkpoint.py', join(run, 'weights.safetensors'), join(run, checkpointFile)]);
    } else console.log('no Python with torch found: nothing to import');
    const names = Object.keys(works).filter(name => python !== undefined || !name.includes('import'));
    const results = new Map<string, Measured[]>(names.map(name => [name, []]));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [name, measured] of results) {
        const args = ['--import', 'tsx', fileURLToPath(import.meta.url), name, run];
        measured.push(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Measured);
      }
    }
    for (const [name, measured] of results) {
      const seconds = measured.map(m => m.seconds);
      const spread = `${Math.min(...seconds).toFixed(3)} … ${Math.max(...seconds).toFixed(3)}`;
      const memory = Math.max(...measured.map(m => m.megabytes));
      const ratio = (memory * 1.048576) / (bytesOf(params) / 1e6);
      console.log(
        `${name.padEnd(34)} ${median(seconds).toFixed(3)} s (${spread})  peak ${memory.toFixed(0)} MiB, ${ratio.toFixed(2)} x the weights`,
      );
    }
  } finally {
    rmSync(run, { recursive: true, force: true });
  }
}

if (positionals.length === 2) console.log(JSON.stringify(await measure(positionals[0], positionals[1])));
else await compare();
