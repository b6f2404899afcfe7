import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exists } from '../../src/data/files.ts';
import { loadCheckpoint, readPointer } from '../../src/train/checkpoint.ts';
import { loadRunConfig } from '../../src/train/config.ts';
import { loadModel } from '../../src/train/model.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { testRun } from '../../src/train/testRun.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { contentsOf, smallExperiment } from '../cli/smallRun.ts';
import { smallConfig, trainSilently } from './smallTraining.ts';

const epochs = 5;
let dir = '';
let remove = async (): Promise<void> => {};
/** What an uninterrupted training leaves. */
let whole: Record<string, unknown> = {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  const config = await smallConfig(dir, 'data', `train.epochs=${epochs}`, 'evaluation.select=best-on-test');
  await trainSilently(config, { out: join(dir, 'whole') });
  whole = await contentsOf(join(dir, 'whole'));
  // The same, stopped in its fourth epoch: `last` is epoch 3, `previous` epoch 2.
  const stop = new AbortController();
  const progress = ({ label, done }: { label: string; done: number }): void => {
    if (label === `epoch 4/${epochs}` && done > 3) stop.abort();
  };
  await trainRun(config, { out: join(dir, 'stopped'), reporter: { ...silentReporter(), progress }, signal: stop.signal });
});
afterAll(() => remove());

let copies = 0;
/** A copy of a run, with something done to it. */
async function damaged(from: string, ...damages: readonly ((checkpoints: string) => Promise<unknown>)[]): Promise<string> {
  const run = join(dir, `copy-${++copies}`);
  await cp(join(dir, from), run, { recursive: true });
  for (const damage of damages) await damage(join(run, 'checkpoints'));
  return run;
}

const resume = async (run: string) => trainSilently(await loadRunConfig(run), { out: run, resume: true });

const problemOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing was thrown',
    (thrown: Error) => thrown.message,
  );

/** Flips one bit of a file, in the middle unless another byte is named. */
const flip = (file: string, at?: number) => async (folder: string) => {
  const bytes = await readFile(join(folder, file));
  bytes[at ?? bytes.length >> 1] ^= 1;
  await writeFile(join(folder, file), bytes);
};
const cut = (file: string, length: number) => (folder: string) => truncate(join(folder, file), length);
const lose = (file: string) => (folder: string) => rm(join(folder, file));
/** Makes pointers as they were before they held sizes and digests. */
const age = (name: string) => async (folder: string) => {
  const { files, check, ...old } = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as Record<string, unknown>;
  expect([typeof files, typeof check]).toEqual(['object', 'string']);
  await writeFile(join(folder, `${name}.json`), JSON.stringify(old));
};

const weights = 'epoch-0003.safetensors';
const state = 'epoch-0003.optimizer.safetensors';

/** Damages of the last checkpoint, and what is said of them. */
const damages: [string, (folder: string) => Promise<unknown>, RegExp][] = [
  [
    'a flipped bit in the weights',
    flip(weights),
    /epoch-0003\.safetensors: expected SHA-256 [0-9a-f]{12}…, found [0-9a-f]{12}… \(damaged\)$/,
  ],
  ['a flipped bit in the state', flip(state), /epoch-0003\.optimizer\.safetensors: expected SHA-256 .* \(damaged\)$/],
  ['weights cut off', cut(weights, 100), /epoch-0003\.safetensors: expected \d+ bytes, found 100 \(truncated\)$/],
  ['an empty state', cut(state, 0), /epoch-0003\.optimizer\.safetensors: expected \d+ bytes, found 0 \(truncated\)$/],
  ['no weights', lose(weights), /epoch-0003\.safetensors: no such file$/],
  ['no state', lose(state), /epoch-0003\.optimizer\.safetensors: no such file$/],
  ['an empty pointer', cut('last.json', 0), /last\.json: expected JSON \(.*\)$/],
  ['half a pointer', cut('last.json', 60), /last\.json: expected JSON \(.*\)$/],
  // {"epoch":3 becomes {"epoch":2, which is as good as JSON gets.
  [
    'a pointer to another epoch',
    flip('last.json', 9),
    /last\.json: expected the check [0-9a-f]{12}… of its contents, found [0-9a-f]{12}…$/,
  ],
  ['no pointer', lose('last.json'), /last\.json: no such file$/],
];

describe('a damaged last checkpoint', () => {
  it.each(damages)('gives way to the one before it, and the run ends in the same bits: %s', async (_, damage, problem) => {
    const run = await damaged('stopped', damage);
    const { lines, epochs: done } = await resume(run);
    const warnings = lines.filter(line => line.includes('the checkpoint before it is used'));
    expect(warnings).toHaveLength(1);
    const [told, used] = warnings[0].split('; the checkpoint before it is used, of epoch ');
    expect([told, used]).toEqual([expect.stringMatching(problem), '2']);
    expect(told.startsWith(join(run, 'checkpoints/'))).toBe(true);
    expect(lines).toContain(`resuming after epoch 2 of ${epochs}`);
    expect(done).toBe(epochs);
    expect(await contentsOf(run)).toEqual(whole);
  });

  it('is not forgotten when the run is stopped before it is made again', async () => {
    const run = await damaged('stopped', flip(weights));
    const stop = new AbortController();
    const progress = ({ label }: { label: string }): void => {
      if (label.startsWith('epoch 3/')) stop.abort();
    };
    const config = await loadRunConfig(run);
    const reporter = { ...silentReporter(), progress };
    expect(await trainRun(config, { out: run, resume: true, reporter, signal: stop.signal })).toMatchObject({
      interrupted: true,
      epochs: 2,
    });
    const { lines } = await resume(run);
    expect(lines).toContain(`resuming after epoch 2 of ${epochs}`);
    expect(await contentsOf(run)).toEqual(whole);
  });

  it('gives way in tests and predictions too, with the epoch named', async () => {
    const run = await damaged('stopped', flip(weights));
    const warnings: string[] = [];
    const reporter = { ...silentReporter(), warn: (line: string) => warnings.push(line) };
    const model = await loadModel(run, 'last', reporter);
    expect(model.checkpoint).toEqual({ name: 'last', epoch: 2 });
    const [first] = Object.values(model.params);
    const before = join(dir, 'stopped/checkpoints/epoch-0002.safetensors');
    const [expected] = Object.values((await loadModel(before)).params);
    expect(first).toEqual(expected);
    const tested = await testRun(run, { checkpoint: 'last', reporter });
    expect(tested).toMatchObject({ checkpoint: 'last', epoch: 2 });
    const problem = expect.stringMatching(
      /epoch-0003\.safetensors: expected SHA-256 .*; the checkpoint before it is used, of epoch 2$/,
    );
    expect(warnings).toEqual([problem, problem]);
    // Weights suffice to test: the state beside them does not matter.
    const stateOnly = await damaged('stopped', flip(state));
    expect((await loadModel(stateOnly, 'last', reporter)).checkpoint?.epoch).toBe(3);
    expect(warnings).toHaveLength(2);
  });

  it('is an error that names both files if the one before it is damaged as well', async () => {
    const run = await damaged('stopped', flip(state), cut('epoch-0002.safetensors', 7));
    const before = await contentsOf(run);
    const folder = join(run, 'checkpoints').replaceAll('/', '\\/');
    const message = await problemOf(resume(run));
    expect(message).toMatch(
      new RegExp(
        `^${run}: neither of the last two checkpoints can be used: ${folder}/${state}: expected SHA-256 .*; ${folder}/epoch-0002.safetensors: expected \\d+ bytes, found 7 .*; restore these files from a backup, or train anew into another folder$`,
      ),
    );
    expect(await contentsOf(run)).toEqual(before);
  });

  it('is an error too if no pointer is left, not a new beginning', async () => {
    const run = await damaged('stopped', lose('last.json'), lose('previous.json'));
    expect(await problemOf(resume(run))).toMatch(/last\.json: no such file; .*previous\.json: no such file; restore/);
  });

  it('of an older version is read without a check', async () => {
    const run = await damaged('stopped', age('last'), age('previous'), age('best'));
    expect((await resume(run)).lines).toContain(`resuming after epoch 3 of ${epochs}`);
    expect(await contentsOf(run)).toEqual(whole);
  });
});

describe('a damaged best checkpoint', () => {
  it('is never tested silently in another form', async () => {
    const best = (await readPointer(join(dir, 'whole'), 'best'))?.weights;
    const run = await damaged('whole', flip(String(best)));
    for (const named of [undefined, 'best'] as const) {
      const message = await problemOf(testRun(run, { checkpoint: named, reporter: silentReporter() }));
      expect(message).toMatch(
        /: the best checkpoint cannot be used: .*\/checkpoints\/epoch-000\d\.safetensors: expected SHA-256 .*; to take the last one instead: --checkpoint last$/,
      );
    }
    await cut('best.json', 0)(join(run, 'checkpoints'));
    expect(await problemOf(loadModel(run))).toMatch(
      /: the best checkpoint cannot be used: .*best\.json: expected JSON \(.*--checkpoint last$/,
    );
    expect(await exists(join(run, 'test-best-detections.json'))).toBe(false);
  });

  it('whose pointer is gone is missed, with the epoch that is used', async () => {
    const run = await damaged('whole', lose('best.json'));
    const warnings: string[] = [];
    const model = await loadModel(run, undefined, { warn: line => warnings.push(line) });
    expect(model.checkpoint).toEqual({ name: 'last', epoch: epochs });
    expect(warnings).toEqual([
      `${run}: no best checkpoint, though evaluation.select is best-on-test; the last one is used, of epoch ${epochs}`,
    ]);
  });

  it('is given up by a run that goes on, which keeps the best of what is to come', async () => {
    const run = await damaged('stopped', cut('best.json', 10));
    const { lines, best } = await resume(run);
    expect(lines).toContainEqual(
      expect.stringMatching(
        /best\.json: expected JSON \(.*\); the best checkpoint so far is lost, from here on the best of the epochs to come is kept$/,
      ),
    );
    const records = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const values = records.map(line => (JSON.parse(line) as { test: Record<string, number> }).test['mAP@0.1:0.7']);
    expect(values).toHaveLength(epochs);
    const later = values.slice(3);
    expect(best).toEqual({ epoch: 4 + later.indexOf(Math.max(...later)), metric: 'mAP@0.1:0.7', value: Math.max(...later) });
    expect((await loadCheckpoint(run, 'best')).pointer.epoch).toBe(best?.epoch);
  });

  it('stops a run that is done, whose exported model is kept', async () => {
    const run = await damaged('whole', flip('best.json', 9));
    const best = await readPointer(join(dir, 'whole'), 'best');
    const model = await readFile(join(run, 'model.safetensors'));
    expect(await problemOf(resume(run))).toMatch(/the best checkpoint cannot be used: .*best\.json: expected the check/);
    expect(await readFile(join(run, 'model.safetensors'))).toEqual(model);
    expect(await exists(join(run, 'checkpoints', String(best?.weights)))).toBe(true);
  });
});

describe('damaged metrics', () => {
  it('do not stop a run that goes on: what is left is kept, and the lines are named', async () => {
    const run = await damaged('stopped');
    const path = join(run, 'metrics.jsonl');
    const [first, second, third] = (await readFile(path, 'utf8')).split('\n');
    const bytes = Buffer.from(`${first}\n${second.slice(0, 30)}\n${third}\n{"epoch":"4"}\n#`);
    bytes[bytes.length - 1] = 0xff;
    await writeFile(path, bytes);
    const { lines } = await resume(run);
    const problem = (line: number, found: string, detail = '') =>
      `${path}: line ${line}: expected the record of an epoch, found ${JSON.stringify(found)}${detail}; it is left out`;
    expect(lines.filter(line => line.startsWith(path))).toEqual([
      problem(2, second.slice(0, 30)),
      problem(4, '{"epoch":"4"}', ' (epoch: expected number, found string)'),
      problem(5, '\ufffd'),
    ]);
    expect((await readFile(path, 'utf8')).startsWith(`${first}\n${third}\n`)).toBe(true);
    const { 'metrics.jsonl': records, ...others } = await contentsOf(run);
    const { 'metrics.jsonl': all, ...expected } = whole;
    expect(others).toEqual(expected);
    expect(records).toEqual((all as unknown[]).filter((_, i) => i !== 1));
  });
});
