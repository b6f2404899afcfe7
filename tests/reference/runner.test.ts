import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { fromNumbers } from '../../src/engine/ndarray.ts';
import { type Adapter, compareArray, readManifest } from './case.ts';
import { chooseCases, runCase, summary, tableRow } from './runner.ts';

const tolerance = { default: { rtol: 0, atol: 0.1 } };
const entry = (name: string, more: object = {}) => ({ name, kind: 'double', files: ['pair.npz'], tolerance, ...more });

describe('the runner', () => {
  let directory: string;
  const run = async (name: string, adapters: Adapter[]) =>
    runCase(await readManifest(directory), name, { directory, dataDir: directory }, adapters);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'inkling-reference-'));
    const arrays = { 'in.x': fromNumbers([1, 2], [2]), 'out.y': fromNumbers([2, 4], [2]), 'grad.x': fromNumbers([2, 2], [2]) };
    await writeFile(join(directory, 'pair.npz'), encodeNpz(arrays, { compress: true }));
    const cases = [
      entry('good'),
      entry('absent', { files: ['none.npz'] }),
      entry('unheld', { outputs: { 'out.z': {} } }),
      entry('other', { kind: 'triple' }),
    ];
    await writeFile(join(directory, 'manifest.json'), JSON.stringify({ system: 's', cases }));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const double = (keys: string[], factor = 2): Adapter => ({
    matches: c => c.kind === 'double',
    run: c =>
      keys.map(key => {
        const x = Array.from({ length: 2 }, (_, i) => Number(c.arrays['in.x'].data[i]));
        const values = x.map(v => (key === 'grad.x' ? factor : factor * v));
        return compareArray(c, key, fromNumbers(values, [2]));
      }),
  });

  it('passes a case whose every expected array agrees', async () => {
    const result = await run('good', [double(['out.y', 'grad.x'])]);
    expect(result).toMatchObject({ pass: true, worst: { error: 0 } });
    expect(tableRow(['good'], result)).toMatch(/^good +out\.y +0 +1\.00e-1 {2}pass$/);
  });

  it('fails a case that is off, and names the worst quantity', async () => {
    const result = await run('good', [double(['out.y', 'grad.x'], 2.09)]);
    expect(result).toMatchObject({ pass: false, worst: { key: 'out.y' } });
    expect(result.worst?.error).toBeCloseTo(0.18, 5);
  });

  it('fails a case with an expected array left uncompared, or nothing compared', async () => {
    expect(await run('good', [double(['out.y'])])).toMatchObject({ pass: false, problem: 'not compared: grad.x' });
    expect(await run('good', [double([])])).toMatchObject({ pass: false, problem: 'nothing was compared' });
  });

  it('fails a case that no adapter runs, that throws, or whose files are wrong', async () => {
    const adapters = [double(['out.y', 'grad.x'])];
    expect((await run('other', adapters)).problem).toBe('no adapter runs kind "triple" of system "s"');
    expect((await run('absent', adapters)).problem).toContain('none.npz');
    expect((await run('unheld', adapters)).problem).toBe('the manifest lists output "out.z", which no file holds');
    const broken: Adapter = {
      matches: () => true,
      run: () => {
        throw new Error('first line\nsecond');
      },
    };
    expect((await run('good', [broken])).problem).toBe('first line');
  });

  it('chooses cases by part or pattern', async () => {
    const manifest = await readManifest(directory);
    expect(chooseCases(manifest, 'o')).toEqual(['good', 'other']);
    expect(chooseCases(manifest, 'o*')).toEqual(['other']);
    expect(() => chooseCases(manifest, 'x')).toThrow('no case matches "x"');
  });

  it('ends with a count', () => {
    expect(summary(3, 1)).toBe('3 passed, 1 failed');
  });
});
