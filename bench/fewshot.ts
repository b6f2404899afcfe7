/**
 * `npx tsx bench/fewshot.ts --data DIR [--family gym-i3d] [--seeds 84,112,134] [--shots 1,5] [--episodes 2000] [--json FILE] [CONFIG ...]`: trains the
 * configurations of configs/fewshot/FAMILY (default: all) on several divisions of the classes (data.splitSeed, and train.seed likewise), and prints the
 * accuracy of their tests over all divisions with its 95 % interval over the episodes, beside the matching metrics without training on the very same
 * episodes, and the difference from bi-mhm, whose interval is that of the episodes' differences.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { alignColumns } from '../src/cli/output.ts';
import { readArrays } from '../src/data/files.ts';
import { parseNpz } from '../src/data/formats/npz.ts';
import { meanWithInterval } from '../src/fewshot/accuracy.ts';
import { type FewshotConfig, lossTerms, testEpisodes, trainingEpisodes } from '../src/fewshot/config.ts';
import { type MetricName, matchingMetrics } from '../src/fewshot/matching/metrics.ts';
import { fewshotTask } from '../src/fewshot/task.ts';
import { loadConfig, requireFewshot } from '../src/train/config.ts';
import { openFewshotData } from '../src/train/fewshotRun.ts';
import { silentReporter } from '../src/train/reporter.ts';
import { testRun } from '../src/train/testRun.ts';
import { trainRun } from '../src/train/trainRun.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    family: { type: 'string', default: 'gym-i3d' },
    seeds: { type: 'string', default: '84,112,134' },
    shots: { type: 'string', default: '1,5' },
    episodes: { type: 'string', default: '2000' },
    threads: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
if (values.data === undefined) throw new Error('usage: tsx bench/fewshot.ts --data DIR [--family NAME] [CONFIG ...]');

const numbers = (text: string) => text.split(',').map(Number);
const [seeds, shots] = [numbers(values.seeds), numbers(values.shots)];
const shipped = (await readdir(new URL(`../configs/fewshot/${values.family}`, import.meta.url)))
  .map(file => basename(file, '.yaml'))
  // Metrics without training are all there anyway.
  .filter(name => name !== 'base' && name !== 'matching');
const names = positionals.length > 0 ? positionals : shipped;
const baseline = 'bi-mhm';

async function configOf(name: string, shot: number, seed: number): Promise<FewshotConfig> {
  const sets = [
    `data.dir=${values.data}`,
    `data.splitSeed=${seed}`,
    `train.seed=${seed}`,
    `train.threads=${values.threads}`,
    `episode.shot=${shot}`,
    `evaluation.final.episodes=${values.episodes}`,
    // Only the last test counts.
    'evaluation.episodes=10',
  ];
  return requireFewshot((await loadConfig(`fewshot/${values.family}/${name}`, { sets })).config, name);
}

/** Accuracies of the episodes of metrics without training, by name. */
async function untrained(config: FewshotConfig): Promise<Map<string, Float64Array>> {
  const { parts } = await openFewshotData(config);
  const found = new Map<string, Float64Array>();
  for (const metric of Object.keys(matchingMetrics) as MetricName[]) {
    const task = fewshotTask({
      parts,
      head: { head: 'matching', metric },
      frames: config.model.frames,
      featureDim: config.model.featureDim,
      loss: lossTerms(config),
      training: { ...trainingEpisodes(config), episodesPerStep: 1, stepsPerEpoch: 1 },
      testing: testEpisodes(config),
      evaluation: config.evaluation.final,
      final: config.evaluation.final,
      cacheBytes: 1e9,
      where: {},
    });
    const { files } = await task.test({}, () => {});
    found.set(`${metric} (untrained)`, parseNpz(files['episodes.npz'], metric).accuracy.data as Float64Array);
    await task.dispose();
  }
  return found;
}

async function trained(config: FewshotConfig): Promise<Float64Array> {
  const folder = await mkdtemp(join(tmpdir(), 'inkling-fewshot-bench-'));
  try {
    const run = join(folder, 'run');
    await trainRun(config, { out: run, reporter: silentReporter() });
    const { resultFile } = await testRun(run, { reporter: silentReporter() });
    return (await readArrays(resultFile)).accuracy.data as Float64Array;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const percent = (value: number) => (100 * value).toFixed(2);
const shown = (list: readonly number[]) => {
  const { mean, halfWidth } = meanWithInterval(list);
  return `${percent(mean)} ± ${percent(halfWidth)}`;
};
const record: Record<string, unknown>[] = [];

for (const shot of shots) {
  const found = new Map<string, { readonly episodes: number[]; readonly means: number[]; seconds: number }>();
  const add = (name: string, accuracies: Float64Array, seconds: number): void => {
    const entry = found.get(name) ?? { episodes: [], means: [], seconds: 0 };
    entry.episodes.push(...accuracies);
    entry.means.push(accuracies.reduce((a, b) => a + b, 0) / accuracies.length);
    entry.seconds += seconds / seeds.length;
    found.set(name, entry);
  };
  for (const seed of seeds) {
    for (const [name, accuracies] of await untrained(await configOf(names[0], shot, seed))) add(name, accuracies, 0);
    for (const name of names) {
      const config = await configOf(name, shot, seed);
      const started = performance.now();
      const accuracies = await trained(config);
      add(config.method, accuracies, (performance.now() - started) / 1000);
      console.error(`${values.family}, ${shot} shot, seed ${seed}: ${name} ${shown([...accuracies])}`);
    }
  }
  const base = found.get(`${baseline} (untrained)`)?.episodes ?? [];
  const rows = [['method', `accuracy, ${shot} shot`, `over ${baseline}`, 'by division', 'seconds']];
  for (const [name, { episodes, means, seconds }] of [...found].sort(([, a], [, b]) => mean(b.means) - mean(a.means))) {
    const over = shown(episodes.map((value, i) => value - base[i]));
    rows.push([name, shown(episodes), over, means.map(percent).join(' '), seconds.toFixed(0)]);
    record.push({ family: values.family, shot, name, accuracy: shown(episodes), over, means, seconds });
  }
  console.log([...alignColumns(rows), ''].join('\n'));
}
if (values.json !== undefined) await writeFile(values.json, JSON.stringify(record, null, 1));

function mean(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0) / list.length;
}
