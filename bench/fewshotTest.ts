/**
 * `npx tsx bench/fewshotTest.ts [--episodes 10000] [--clips 2857] [--threads 2]`: how long tests of 5-way 1-shot episodes take on cached features of 8 frames
 * and 2048 numbers: of Bi-MHM, OTAM and of HyRSM++, for 24 classes with as many clips as SSv2-Full has for tests.
 */
import { parseArgs } from 'node:util';
import { ndarray, random } from '../src/engine/index.ts';
import { key } from '../src/engine/random.ts';
import type { HeadSettings } from '../src/fewshot/heads/heads.ts';
import { hyrsmPreset } from '../src/fewshot/heads/hyrsm.ts';
import { fewshotTask } from '../src/fewshot/task.ts';

const { values } = parseArgs({
  options: {
    episodes: { type: 'string', default: '10000' },
    clips: { type: 'string', default: '2857' },
    threads: { type: 'string', default: '2' },
    heads: { type: 'string', default: 'bi-mhm,otam,hyrsm++' },
  },
});
const [frames, width, classes] = [8, 2048, 24];
const clips = Array.from({ length: Number(values.clips) }, (_, i) => {
  const features = ndarray('float32', [frames, width], random.normal(key(i), [frames, width]).data);
  return { name: `${i}`, load: async () => features };
});
const test = Array.from({ length: classes }, (_, c) => ({ name: `${c}`, items: clips.filter((_, i) => i % classes === c) }));
const heads: Readonly<Record<string, HeadSettings>> = {
  'bi-mhm': { head: 'matching', metric: 'bi-mhm' },
  otam: { head: 'otam' },
  'hyrsm++': { head: 'hyrsm++', ...hyrsmPreset, featureDim: width, classes: 64 },
};

for (const name of values.heads.split(',')) {
  const form = { way: 5, shot: 1, queries: 1 };
  const seen = { split: 'test', episodes: Number(values.episodes), seed: 0 } as const;
  const task = fewshotTask({
    parts: { train: test, val: [], test },
    head: heads[name],
    frames,
    featureDim: width,
    loss: { matching: true, classification: null, coherence: null },
    training: { ...form, episodesPerStep: 1, stepsPerEpoch: 1 },
    testing: form,
    evaluation: seen,
    final: seen,
    cacheBytes: 4e9,
    where: { threads: Number(values.threads) },
  });
  const params = task.init(key(0));
  const started = performance.now();
  const { metrics } = await task.test(params, () => {});
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${name}: ${values.episodes} episodes in ${seconds.toFixed(1)} s (accuracy on noise ${(100 * metrics.accuracy).toFixed(1)} %)`,
  );
  await task.dispose();
}
