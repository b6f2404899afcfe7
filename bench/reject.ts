/**
 * `npx tsx bench/reject.ts --data DIR [--splits 20] [--known 5] [--shots 1,5] [--metric bi-mhm] [--class-distance nearest] [--frames 8]`: how well recognisers that were taught by a
 * few clips say "none of these". For each seeded split, `--known` classes of a feature folder are taught by clips drawn from them; all their
 * other clips and all clips of the other classes are asked. Prints means and standard deviations (n - 1) over the splits, in percent.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseMetrics } from '../src/cli/matchingMetrics.ts';
import { alignColumns } from '../src/cli/output.ts';
import { openClipDataset, readFeatures } from '../src/data/index.ts';
import { random } from '../src/engine/index.ts';
import { classDistances } from '../src/fewshot/classDistance.ts';
import { nearestRows } from '../src/fewshot/nearestRows.ts';
import { taughtRecognizer } from '../src/fewshot/taught.ts';
import { teach } from '../src/train/teach.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    splits: { type: 'string', default: '20' },
    known: { type: 'string', default: '5' },
    shots: { type: 'string', default: '1,5' },
    metric: { type: 'string', default: 'bi-mhm' },
    'class-distance': { type: 'string', default: 'nearest' },
    frames: { type: 'string', default: '8' },
  },
});
if (values.data === undefined) throw new Error('usage: tsx bench/reject.ts --data DIR');
const dir = values.data;
const [metric] = parseMetrics([values.metric]);
const frames = Number(values.frames);
const classDistance = classDistances.find(kind => kind === values['class-distance']);
if (classDistance === undefined) throw new Error(`--class-distance: expected ${classDistances.join(' or ')}`);

const { classes, items } = await openClipDataset({ dir });
const clips = await Promise.all(
  items.map(async ({ name, label }) => ({
    label,
    file: join(dir, name),
    sequence: nearestRows(await readFeatures([join(dir, name)]), frames),
  })),
);

/** One split: fractions. */
async function judge(seed: number, shot: number): Promise<number[]> {
  const from = random.key(seed);
  const known = [...random.choiceWithoutReplacement(random.fold(from, 'classes'), classes.length, Number(values.known))];
  const lessons = known.map((label, i) => {
    const own = clips.filter(clip => clip.label === label);
    const drawn = random.choiceWithoutReplacement(random.fold(random.fold(from, 'clips'), i), own.length, shot);
    return { name: classes[label], files: [...drawn].map(at => own[at].file) };
  });
  const taught = await teach('bench', lessons, { metric, classDistance, frames });
  const answer = taughtRecognizer(taught);
  const supports = new Set(taught.supports.map(({ file }) => file));
  const count = { known: 0, right: 0, rejected: 0, rightAndKept: 0, unknown: 0, accepted: 0 };
  for (const { label, file, sequence } of clips) {
    if (supports.has(file)) continue;
    const { classes: found, isUnknown } = answer(sequence);
    if (known.includes(label)) {
      const isRight = found[0].label === classes[label];
      count.known++;
      count.right += Number(isRight);
      count.rejected += Number(isUnknown);
      count.rightAndKept += Number(isRight && !isUnknown);
    } else {
      count.unknown++;
      count.accepted += Number(!isUnknown);
    }
  }
  return [
    count.right / count.known,
    count.rejected / count.known,
    count.accepted / count.unknown,
    count.rightAndKept / (count.known - count.rejected),
  ];
}

const rows = [['shots', 'threshold from', 'accuracy', 'false rejects', 'false accepts', 'accuracy of accepted']];
for (const shot of values.shots.split(',').map(Number)) {
  const found: number[][] = [];
  for (let seed = 0; seed < Number(values.splits); seed++) found.push(await judge(seed, shot));
  const spread = (at: number): string => {
    const list = found.map(each => each[at]);
    const mean = list.reduce((a, b) => a + b, 0) / list.length;
    const deviation = Math.sqrt(list.reduce((total, x) => total + (x - mean) ** 2, 0) / (list.length - 1));
    return `${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`;
  };
  rows.push([String(shot), shot === 1 ? 'views' : 'clips left out', ...[0, 1, 2, 3].map(spread)]);
}
console.log(alignColumns(rows).join('\n'));
