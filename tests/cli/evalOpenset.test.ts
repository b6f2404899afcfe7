import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { type DType, fromNumbers, type NDArray } from '../../src/engine/ndarray.ts';
import { runCli } from './runCli.ts';

let dir = '';
const list = (values: number[], dtype: DType = 'float64'): NDArray => fromNumbers(values, [values.length], dtype);
const matrix = (...values: number[][]): NDArray => fromNumbers(values.flat(), [values.length, values[0].length], 'float64');
const labels = { ind_label: list([0, 0, 1, 1], 'int64'), ood_label: list([0, 7], 'int64') };
const predictions = { ind_pred: list([0, 1, 1, 1], 'int64'), ood_pred: list([1, 0], 'int64') };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inkling-openset-'));
  const put = (name: string, arrays: Record<string, NDArray>) => writeFile(join(dir, name), encodeNpz(arrays));
  await put('plain.npz', { ...labels, ...predictions, ind_unctt: list([0, 1, 2, 5]), ood_unctt: list([4, 6]) });
  await put('columns.npz', {
    ...labels,
    ...predictions,
    ind_unctt: matrix([9, 0], [9, 1], [9, 2], [9, 3]),
    ood_unctt: matrix([1, 8], [1, 9]),
  });
  await put('logits.npz', { ...labels, ind_logits: matrix([3, 0], [0, 2], [0, 5], [0, 4]), ood_logits: matrix([1, 1], [0, 6]) });
  // Two clips a video: the second clip of a tested video is far off and must not count.
  const train = Array.from({ length: 24 }, (_, i) => [Math.cos(i), Math.sin(i), 3 + Math.cos(7 * i), Math.sin(3 * i)]);
  const interleaved = (...videos: number[][]) => matrix(...videos.flatMap(video => [video, [1, 1, -90, 5]]));
  await put('embeddings.npz', {
    ...labels,
    ...predictions,
    train_label: list(
      Array.from({ length: 12 }, (_, i) => i % 2),
      'int64',
    ),
    train_unctt: matrix(...train),
    ind_unctt: interleaved(...train.slice(0, 4)),
    ood_unctt: interleaved([50, -40, 3, 0], [-9, 30, 3, 1]),
  });
  await put('strange.npz', { scores: list([1, 2]) });
  await put('nan.npz', { ...labels, ...predictions, ind_unctt: list([0, 1, Number.NaN, 5]), ood_unctt: list([4, 6]) });
  await put('short.npz', { ...labels, ...predictions, ind_unctt: list([0, 1]), ood_unctt: list([4, 6]) });
  const many = (n: number) => ({
    label: list(new Array(n).fill(0), 'int64'),
    unctt: list(Array.from({ length: n }, (_, i) => i)),
  });
  const known = many(3790);
  await put('rows.npz', {
    ...labels,
    ...predictions,
    ind_label: known.label,
    ind_pred: known.label,
    ind_unctt: known.unctt,
    ood_unctt: list([4, 6]),
  });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const evaluate = (...args: string[]) => runCli(['eval', 'openset', '--protocol', 'plain', '--scores', ...args], dir);
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await evaluate(...args, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout).files;
};

describe('eval openset', () => {
  it('prints tables of several files, each convention named', async () => {
    const { code, stdout } = await evaluate('plain.npz', 'logits.npz', '--threshold', '3,0.3');
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('plain: all known rows against all unknown rows; percent');
    expect(lines.slice(2, 6)).toEqual([
      'sane: every video once; AP = average precision; FPR95 = at the first threshold with TPR >= 0.95',
      'file    known  unknown     ACC   AUROC      AP    FPR95',
      'plain       4        2  75.000  87.500  83.333   25.000',
      'logits      4        2  75.000  50.000  66.667  100.000',
    ]);
    expect(stdout).toContain('published: repeated rows counted; AUPR = area under lines');
    expect(stdout).toMatch(/plain +> 3 +75\.000 +100\.000 +87\.500 +\d/);
  });

  it('makes scores from columns, logits and embeddings', async () => {
    expect((await json('columns.npz'))[0].conventions.sane.ranking.auroc).toBe(0);
    expect((await json('columns.npz', '--column', '1'))[0].conventions.sane.ranking.auroc).toBe(1);
    expect((await json('logits.npz', '--score', 'max-logit'))[0]).toMatchObject({
      score: 'max-logit',
      // -3, -2, -5, -4 against -1 and -6.
      conventions: { sane: { ranking: { auroc: 0.5 }, accuracy: 0.75 } },
    });
    const [embeddings] = await json('embeddings.npz');
    expect(embeddings.score).toBe('mahalanobis');
    expect(embeddings.conventions.sane.ranking.auroc).toBe(1);
    // The training part gives a threshold without being asked for one.
    expect(embeddings.conventions.sane.thresholded.threshold.rule).toBe('accepts 0.95 of the training samples');
    expect(embeddings.conventions.sane.thresholded.unknownRejected).toBe(1);
    expect(embeddings.conventions.sane.openness.openness).toHaveLength(3);
  });

  it('writes CSV and pictures', async () => {
    const args = ['--threshold', '3', '--csv', 'out.csv', '--plots', 'plots', '--convention', 'sane'];
    expect((await evaluate('plain.npz', ...args)).code).toBe(0);
    const [header, row, end] = (await readFile(join(dir, 'out.csv'), 'utf8')).split('\n').map(line => line.split(','));
    expect(row).toHaveLength(header.length);
    expect(end).toEqual(['']);
    expect(Object.fromEntries(header.map((name, i) => [name, row[i]]))).toMatchObject({
      file: 'plain.npz',
      convention: 'sane',
      auroc: '0.875',
      threshold: '3',
      knownAccepted: '0.75',
    });
    expect((await readdir(join(dir, 'plots'))).sort()).toEqual(['openness.svg', 'plain.histogram.svg', 'roc.svg']);
    const roc = await readFile(join(dir, 'plots', 'roc.svg'), 'utf8');
    expect(roc).toContain('plain: AUROC 87.50 %');
    // From (0, 0) up half-way, a quarter to the right, up, and to the right.
    expect(roc).toContain('d="M64 340L64 190L204 190L204 40L624 40"');
  });

  it.each([
    [['strange.npz'], /^error: strange\.npz: expected ind_label and ood_label \[N\] with one of: .*; found scores \[2\]\n$/],
    [['nan.npz'], /^error: nan\.npz: ind_unctt: expected numbers, found NaN at element 2\n$/],
    [['short.npz'], /^error: short\.npz: ind_unctt: expected 4 rows as in ind_label, found shape \[2\]\n$/],
    [['plain.npz', '--score', 'energy'], /^error: plain\.npz: score energy needs logits: no array ind_logits\n$/],
    [
      ['plain.npz', '--threshold', 'training:0.9'],
      /^error: plain\.npz: threshold training:RATE needs scores of training samples/,
    ],
    [['plain.npz', '--threshold', 'confidence:0.9'], /^error: plain\.npz: a threshold of confidence needs confidences/],
    [['plain.npz', '--threshold', 'some'], /^error: --threshold: expected an uncertainty .*found "some"\n$/],
    [['plain.npz', '--threshold', '1,2'], /^error: --threshold: expected one rule or one for each of 1 files, found 2\n$/],
    [
      ['rows.npz', '--protocol', 'hmdb'],
      /^error: rows\.npz: 3790 known rows for 3783 videos, .*--gather RxB, or --keep-repeated\n$/,
    ],
    [['none.npz'], /^error: none\.npz: no such file\n$/],
  ])('fails with one line: %j', async (args, message) => {
    const { code, stdout, stderr } = await evaluate(...args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });
});
