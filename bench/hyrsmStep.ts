/**
 * Times training steps of HyRSM++ on features (5-way 1-shot, 5 queries a class, 8 frames of 2048 numbers, accumulated episodes, dropout, Adam) beside PyTorch's, in
 * one run, taking turns: PyTorch plainly, episode by episode, and with the same split of the fusion layer.
 * `tsx bench/hyrsmStep.ts [--python PATH] [--threads 2] [--rounds 3] [--steps 4] [--episodes 4]`; without PyTorch, ours alone. `--ours` measures us in this process.
 */
import { parseArgs } from 'node:util';
import { type NDArray, ndarray, random } from '../src/engine/index.ts';
import { fewshotStep, type HeadSettings, headNoise, headParams, hyrsmPreset, splitHeadParams } from '../src/fewshot/index.ts';
import { adam } from '../src/nn/index.ts';
import { findPython, median, runForJson } from './peer.ts';

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '4' },
    episodes: { type: 'string', default: '4' },
    ours: { type: 'boolean', default: false },
  },
});
const [threads, rounds, steps, episodes] = [values.threads, values.rounds, values.steps, values.episodes].map(Number);
const [way, perClass, frames, width, classes] = [5, 5, 8, 2048, 64];

interface Measured {
  readonly seconds: number[];
  /** Processor time of the same, of all threads. */
  readonly processor: number[];
  readonly graph?: number[];
  readonly masks?: number[];
  readonly optimizer?: number[];
  readonly megabytes: number;
  readonly version?: string;
}

async function ours(): Promise<Measured> {
  const settings: HeadSettings = { head: 'hyrsm++', ...hyrsmPreset, featureDim: width, classes, references: 'supports' };
  const seed = random.key(0);
  const { trained, buffers } = splitHeadParams(headParams(settings, seed));
  const step = fewshotStep(settings, { classification: 0.1, coherence: 0.1 }, { threads });
  const optimizer = adam({ weightDecay: 5e-4 });
  const state = optimizer.init(trained);
  const shots = Array<number>(way).fill(1);
  const queries = way * perClass;
  const labels = (count: number, at: (i: number) => number): NDArray =>
    ndarray(
      'int32',
      [episodes, count],
      Int32Array.from({ length: episodes * count }, (_, i) => at(i)),
    );
  const data = {
    support: random.uniform(random.fold(seed, 1), [episodes, way, frames, width]),
    query: random.uniform(random.fold(seed, 2), [episodes, queries, frames, width]),
    queries: labels(queries, i => i % way),
    clips: labels(way + queries, i => i % classes),
  };
  const times: Record<'seconds' | 'processor' | 'masks' | 'graph' | 'optimizer', number[]> = {
    seconds: [],
    processor: [],
    masks: [],
    graph: [],
    optimizer: [],
  };
  for (let i = 0; i < steps; i++) {
    const [start, used] = [performance.now(), process.cpuUsage()];
    const noise = headNoise(settings, { episodes, shots, queries, frames }, random.fold(seed, 10 + i));
    const drawn = performance.now();
    const { gradients } = await step(trained, buffers, { ...data, ...(noise && { noise }) }, shots);
    const computed = performance.now();
    optimizer.update(trained, gradients, state, 1e-5);
    const end = performance.now();
    const { user, system } = process.cpuUsage(used);
    times.processor.push((user + system) / 1e6);
    times.masks.push((drawn - start) / 1000);
    times.graph.push((computed - drawn) / 1000);
    times.optimizer.push((end - computed) / 1000);
    times.seconds.push((end - start) / 1000);
  }
  return { ...times, megabytes: process.resourceUsage().maxRSS / 1e3 };
}

function compared(): void {
  const python = findPython(values.python);
  const shape = [episodes, way, perClass, frames, width, classes, threads, steps].map(String);
  const torch = (form: string) => runForJson<Measured>(python as string, ['bench/pytorch/hyrsm_step.py', form, ...shape]);
  const self = [
    '--import',
    'tsx',
    'bench/hyrsmStep.ts',
    '--ours',
    '--threads',
    `${threads}`,
    '--steps',
    `${steps}`,
    '--episodes',
    `${episodes}`,
  ];
  const kinds: Record<string, () => Measured> = {
    ours: () => runForJson<Measured>(process.execPath, self),
    ...(python && { 'PyTorch, plain': () => torch('plain'), 'PyTorch, same split': () => torch('split') }),
  };
  const results: Record<string, Measured[]> = {};
  for (let round = 0; round < rounds; round++)
    for (const [name, measure] of Object.entries(kinds)) {
      results[name] ??= [];
      results[name].push(measure());
    }
  // The first step loads and warms up.
  const later = (name: string, part: 'seconds' | 'processor' | 'masks' | 'graph' | 'optimizer') =>
    median(results[name].flatMap(one => one[part]?.slice(1) ?? []));
  console.log(`${episodes} episodes a step, ${threads} threads, medians of ${rounds} rounds`);
  for (const [name, list] of Object.entries(results)) {
    const parts = list[0].graph
      ? ` (masks ${later(name, 'masks').toFixed(3)}, graph ${later(name, 'graph').toFixed(3)}, Adam ${later(name, 'optimizer').toFixed(3)})`
      : '';
    const megabytes = Math.max(...list.map(one => one.megabytes));
    console.log(
      `${name.padEnd(20)} ${later(name, 'seconds').toFixed(3)} s${parts}, processor ${later(name, 'processor').toFixed(2)} s, ${megabytes.toFixed(0)} MB`,
    );
  }
  for (const name of Object.keys(kinds).slice(1))
    console.log(
      `ours / ${name}: ${(later('ours', 'seconds') / later(name, 'seconds')).toFixed(3)}, processor time ${(later('ours', 'processor') / later(name, 'processor')).toFixed(3)}`,
    );
}

if (values.ours) console.log(JSON.stringify(await ours()));
else compared();
