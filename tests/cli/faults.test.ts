/** A full disk, a folder that cannot be written to, a clock that goes backwards: what the user sees, and what is left. */
import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exists } from '../../src/data/files.ts';
import { silentReporter } from '../../src/train/reporter.ts';
import { trainRun } from '../../src/train/trainRun.ts';
import { smallConfig } from '../train/smallTraining.ts';
import { type CliResult, runCli } from './runCli.ts';
import { contentsOf, oneProcess, smallExperiment, succeed } from './smallRun.ts';
import { startTraining, until } from './trainProcess.ts';

let dir = '';
let remove = async (): Promise<void> => {};
let whole: Record<string, unknown> = {};
const training = ['train', 'small.yaml', '--set', 'train.epochs=8'];
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed([...training, '--out', 'whole'], dir);
  whole = await contentsOf(join(dir, 'whole'));
});
afterAll(() => remove());

/** Runs a command after shell code, which ends by executing it. */
const runUnder = (prefix: string, args: readonly string[]): Promise<CliResult> =>
  runCli(args, dir, { TSX_DISABLE_CACHE: '1', ...oneProcess }, prefix);

/** The run `whole`, stopped in its third epoch: `last` is epoch 2, `previous` epoch 1. */
async function stoppedRun(name: string): Promise<string> {
  const config = await smallConfig(dir, 'data', 'train.epochs=8');
  const stop = new AbortController();
  const progress = ({ label }: { label: string }): void => {
    if (label === 'epoch 3/8') stop.abort();
  };
  const reporter = { ...silentReporter(), progress };
  await trainRun(config, { out: join(dir, name), name: 'small.yaml', reporter, signal: stop.signal });
  return name;
}

const temporaryFiles = async (run: string): Promise<string[]> =>
  (await readdir(join(dir, run), { recursive: true })).filter(file => file.endsWith('.tmp'));

// As on a full disk, but nothing has to be mounted: files may have this many blocks of 512 bytes.
const limited = (blocks: number): string => `ulimit -f ${blocks}; exec`;

describe.skipIf(process.platform === 'win32').concurrent('where there is no room', () => {
  it('a new training ends with one line, how to go on, and a folder that it can begin in', async () => {
    const { code, stdout, stderr } = await runUnder(limited(1), [...training, '--out', 'early']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^error: early\/data\.sha256: larger than files may be here \(needed \d+ bytes in early\)\nfree some space, then: the same command again\n$/,
    );
    expect(await readdir(join(dir, 'early'))).toEqual([]);
    await succeed([...training, '--out', 'early'], dir);
    expect(await contentsOf(join(dir, 'early'))).toEqual(whole);
  });

  it('a checkpoint is left out whole: the run goes on from the one before it, to the same bits', async () => {
    const run = await stoppedRun('full');
    const pointers = async () =>
      Promise.all(['last', 'previous'].map(name => readFile(join(dir, run, `checkpoints/${name}.json`), 'utf8')));
    const before = await pointers();
    // Weights have 3.9 kB, the state beside them 4.4: the first fits, the second does not.
    const { code, stderr } = await runUnder(limited(8), ['train', '--resume', run]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /\nerror: full\/checkpoints\/epoch-0003\.optimizer\.safetensors: larger than files may be here \(needed 4\d\d\d bytes in full\/checkpoints\)\nfree some space, then: inkling train --resume full\n$/,
    );
    expect(await pointers()).toEqual(before);
    const named = [1, 2].flatMap(e => [`epoch-000${e}.optimizer.safetensors`, `epoch-000${e}.safetensors`]);
    // Not even the new weights are left, which would be in the way.
    expect((await readdir(join(dir, run, 'checkpoints'))).sort()).toEqual([...named, 'last.json', 'previous.json']);
    expect([await temporaryFiles(run), await exists(join(dir, run, 'train.lock'))]).toEqual([[], false]);
    await succeed(['train', '--resume', run], dir);
    expect(await contentsOf(join(dir, run))).toEqual(whole);
  });

  it('a test and a prediction say so in one line', async () => {
    await cp(join(dir, 'whole'), join(dir, 'tested'), { recursive: true });
    for (const [args, file] of [
      [['test', 'tested'], 'tested/test-last-detections.json'],
      [['predict', 'tested', 'data/test', '--out', 'predicted.json'], 'predicted.json'],
    ] as const) {
      const { code, stdout, stderr } = await runUnder(limited(1), args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^error: [^\n]*: larger than files may be here \(needed \d+ bytes in [^\n]*\)\n$/);
      expect(stderr).toContain(file);
      expect(await exists(join(dir, file))).toBe(false);
    }
  });

  it.skipIf(process.platform !== 'linux')('for the result, that is an error; for the messages, it is none', async () => {
    const result = await runUnder('exec 1>/dev/full; exec', ['test', 'whole', '--out', '/dev/null']);
    expect([result.code, result.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: standard output: cannot be written \(ENOSPC[^\n]*\)\n$/),
    ]);
    const silent = await runUnder('exec 2>/dev/full; exec', [...training, '--out', 'mute', '--json']);
    expect([silent.code, JSON.parse(silent.stdout)]).toEqual([0, expect.objectContaining({ epochs: 8, interrupted: false })]);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });
});

/** What makes a command run as somebody whom permissions bind, which root is not unless it gives that right up. */
const bound = process.getuid?.() === 0 ? 'exec setpriv --bounding-set=-dac_override,-dac_read_search' : 'exec';

describe.skipIf(process.platform === 'win32').concurrent('a run folder that cannot be written to', () => {
  beforeAll(async () => {
    await chmod(dir, 0o755);
    await cp(join(dir, 'whole'), join(dir, 'shared'), { recursive: true });
    await chmod(join(dir, 'shared'), 0o555);
    await mkdir(join(dir, 'shelf'), { mode: 0o555 });
    await mkdir(join(dir, 'open'));
    await chmod(join(dir, 'open'), 0o777);
  });
  afterAll(async () => {
    for (const folder of ['shared', 'shelf']) await chmod(join(dir, folder), 0o755);
  });

  it.each<[readonly string[], string]>([
    [['train', '--resume', 'shared'], 'shared: cannot be written: no permission in shared'],
    [[...training, '--out', 'shelf'], 'shelf: cannot be written: no permission in shelf'],
    [[...training, '--out', 'shelf/a/b'], 'shelf: cannot be written: no permission in shelf'],
    [
      ['test', 'shared'],
      'shared: cannot be written: no permission in shared; choose another place for the detections: --out FILE',
    ],
    [['test', 'shared', '--out', 'shelf/d.json'], 'shelf: cannot be written: no permission in shelf'],
    [['test', 'shared', '--out', 'open'], 'open: expected a file, found a folder'],
    [['test', 'shared', '--out', 'none/d.json'], 'none/d.json: there is no folder none to write it to'],
    [['predict', 'shared', 'data/test', '--out', 'shelf/d.json'], 'shelf: cannot be written: no permission in shelf'],
  ])('is named before anything is computed: %j', async (args, message) => {
    expect(await runUnder(bound, args)).toEqual({ code: 1, stdout: '', stderr: `error: ${message}\n` });
    expect([await readdir(join(dir, 'shelf')), (await readdir(join(dir, 'shared'))).includes('train.lock')]).toEqual([[], false]);
  });

  it('can be tested and used all the same', async () => {
    const tested = await runUnder(bound, ['test', 'shared', '--out', 'open/tested.json', '--json']);
    expect([tested.code, tested.stderr]).toEqual([0, '']);
    expect(JSON.parse(tested.stdout)).toMatchObject({ checkpoint: 'last', epoch: 8, detections: 'open/tested.json' });
    const detections = await readFile(join(dir, 'whole/detections.json'), 'utf8');
    expect(await readFile(join(dir, 'open/tested.json'), 'utf8')).toBe(detections);
    const predicted = await runUnder(bound, ['predict', 'shared', 'data/test', '--json']);
    expect([predicted.code, predicted.stderr]).toEqual([0, '']);
    const { results } = JSON.parse(detections) as { results: unknown };
    expect((JSON.parse(predicted.stdout) as { results: unknown }).results).toEqual(results);
  });
});

describe('a clock that goes backwards', () => {
  it('changes nothing: not the training, nor its lock, nor a run that goes on', async () => {
    // An hour back at every look.
    const clock = `let now = 2e12;
Date.now = () => (now -= 3.6e6);
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...args) { super(...(args.length === 0 ? [Real.now()] : args)); }
};
`;
    await writeFile(join(dir, 'clock.mjs'), clock);
    const env = { ...oneProcess, NODE_OPTIONS: `--import ${join(dir, 'clock.mjs')}` };
    const first = startTraining([...training, '--out', 'backwards'], dir, env);
    await until('an epoch', async () => (await exists(join(dir, 'backwards/checkpoints/previous.json'))) || undefined);
    first.kill('tree');
    await first.exited;
    const resumed = await runCli(['train', '--resume', 'backwards'], dir, env);
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringMatching(/^resuming after epoch \d of 8$/m)]);
    expect(await contentsOf(join(dir, 'backwards'))).toEqual(whole);
    const records = (await readFile(join(dir, 'backwards/metrics.jsonl'), 'utf8')).trim().split('\n');
    for (const record of records) expect((JSON.parse(record) as { seconds: number }).seconds).toBeGreaterThan(0);
    await rm(join(dir, 'clock.mjs'));
  });
});
