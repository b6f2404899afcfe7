/**
 * `npx tsx bench/openset.ts --data DIR [--seeds 5] [--threads 1] [CONFIG[+key=value] ...]`: trains configurations of
 * configs/openset (default: all of gym-i3d) on several divisions of a data set into known and unknown classes, data.splitSeed
 * 0, 1, ..., and prints the mean and the standard deviation (n - 1) of what their tests say, in percent.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { alignColumns } from '../src/cli/output.ts';
import { loadConfig } from '../src/train/config.ts';
import { silentReporter } from '../src/train/reporter.ts';
import { trainRun } from '../src/train/trainRun.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
  },
});
if (values.data === undefined) throw new Error('usage: tsx bench/openset.ts --data DIR [CONFIG ...]');

const family = 'gym-i3d';
const shipped = (await readdir(new URL(`../configs/openset/${family}`, import.meta.url)))
  .map(file => basename(file, '.yaml'))
  .filter(name => name !== 'base');
const names = positionals.length > 0 ? positionals : shipped.map(name => `openset/${family}/${name}`);
const columns = ['AUROC', 'AUPR', 'FPR95', 'accuracy'] as const;

function spread(list: readonly number[]): string {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const deviation = Math.sqrt(list.reduce((total, x) => total + (x - mean) ** 2, 0) / (list.length - 1));
  return `${(100 * mean).toFixed(2)} ± ${(100 * deviation).toFixed(2)}`;
}

const rows: string[][] = [['configuration', ...columns, 'seconds a run']];
const folder = await mkdtemp(join(tmpdir(), 'inkling-openset-bench-'));
try {
  for (const name of names) {
    const [config, ...sets] = name.split('+');
    const found: Readonly<Record<string, number>>[] = [];
    const started = performance.now();
    for (let seed = 0; seed < Number(values.seeds); seed++) {
      const common = [`data.dir=${values.data}`, `data.splitSeed=${seed}`, `train.threads=${values.threads}`];
      const loaded = await loadConfig(config, { sets: [...common, ...sets] });
      const out = join(folder, `${rows.length}-${seed}`);
      found.push((await trainRun(loaded.config, { out, reporter: silentReporter() })).metrics);
    }
    const seconds = (performance.now() - started) / 1000 / found.length;
    rows.push([name, ...columns.map(column => spread(found.map(metrics => metrics[column]))), seconds.toFixed(1)]);
    process.stderr.write(`${rows.at(-1)?.join('  ')}\n`);
  }
  console.log(alignColumns(rows).join('\n'));
} finally {
  await rm(folder, { recursive: true, force: true });
}
