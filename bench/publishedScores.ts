/**
 * `tsx bench/publishedScores.ts DIR`: the published open-set tables, recomputed from the score files in DIR (which holds expected.json), beside the
 * published digits.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { alignColumns } from '../src/cli/output.ts';
import { readArrays } from '../src/data/files.ts';
import { evaluateOpenSet, type Ranking } from '../src/openset/evaluate.ts';
import { type ProtocolName, protocols } from '../src/openset/protocols.ts';
import { scoresFromArrays } from '../src/openset/scoreFile.ts';
import type { ThresholdRule } from '../src/openset/thresholdRule.ts';

type Cells = Readonly<Record<'auroc' | 'aupr' | 'fpr95' | 'acc', number>>;
interface Entry {
  readonly method: string;
  readonly regime: string;
  readonly ood: ProtocolName;
  readonly score_file: string;
  readonly available: boolean;
  readonly published: { readonly all_thresholds: Cells; readonly specific_threshold: Cells };
  readonly specific_threshold?: { readonly rule: string; readonly threshold_used: number };
}

const columns = ['auroc', 'aupr', 'fpr95', 'acc'] as const;
const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: tsx bench/publishedScores.ts DIR');
const { entries } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as { entries: Entry[] };
const rows: string[][] = [['method', 'table', ...columns.flatMap(name => [name, 'published']), 'equal digits']];
let [equal, cells] = [0, 0];
for (const { method, regime, ood, score_file, available, published, specific_threshold } of entries) {
  const name = `${regime} ${ood} ${method}`;
  if (!available || !specific_threshold) {
    rows.push([name, 'no score file', ...columns.flatMap(c => ['-', published.all_thresholds[c].toFixed(3)]), '-']);
    continue;
  }
  const scores = scoresFromArrays(await readArrays(join(folder, score_file)), score_file);
  const { rule, threshold_used: value } = specific_threshold;
  const threshold: ThresholdRule = rule.startsWith('value of the k-th')
    ? { from: 'known', keep: 0.85 }
    : { from: rule.startsWith('confidence') ? 'confidence' : 'uncertainty', value };
  const report = evaluateOpenSet(scores, { protocol: protocols[ood], convention: 'published', threshold });
  const tables: readonly (readonly [string, Ranking, Cells])[] = [
    ['all thresholds', report.ranking, published.all_thresholds],
    ['one threshold', report.thresholded!.ranking, published.specific_threshold],
  ];
  for (const [table, ranking, want] of tables) {
    const got: Cells = {
      auroc: ranking.auroc,
      aupr: ranking.auprTrapezoid,
      fpr95: ranking.fpr95Nearest,
      acc: report.accuracy,
    };
    const shown = columns.map(c => [(100 * got[c]).toFixed(3), want[c].toFixed(3)]);
    const same = shown.filter(([a, b]) => a === b).length;
    equal += same;
    cells += shown.length;
    rows.push([name, table, ...shown.flat(), `${same} of ${shown.length}`]);
  }
}
console.log(alignColumns(rows).join('\n'));
console.log(`${equal} of ${cells} published cells come out to all three decimals`);
