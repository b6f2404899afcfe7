import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNpz } from '../../src/data/formats/npz.ts';
import { parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { zeros } from '../../src/engine/index.ts';
import { runCli } from './runCli.ts';
import { metricsOf, oneProcess, phase2, smallExperiment, succeed } from './smallRun.ts';

let dir = '';
let remove = async (): Promise<void> => {};
/** `small.yaml` trained, and its weights as another program would save them: alone, with a prefix. */
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed(['train', 'small.yaml', '--out', 'run', '--set', 'train.epochs=1'], dir);
  const { tensors } = parseSafetensors(await readFile(join(dir, 'run/model.safetensors')), 'run');
  const renamed = Object.entries(tensors).map(([name, array]) => [`module.${name}`, array] as const);
  await writeFile(join(dir, 'weights.npz'), encodeNpz(Object.fromEntries(renamed)));
  await writeFile(
    join(dir, 'partial.npz'),
    encodeNpz({ ...Object.fromEntries(renamed.slice(0, 6)), 'module.fc.weight': zeros([2]) }),
  );
  await writeFile(join(dir, 'wrong.npz'), encodeNpz({ ...Object.fromEntries(renamed), 'module.att_branch.bias': zeros([4]) }));
});
afterAll(() => remove());

const weights = ['--model', 'acm-net', '--config', 'small.yaml', '--classes', 'data/classes.json'];
const run = (args: readonly string[]) => runCli(args, dir, oneProcess);

describe.concurrent('import', () => {
  it('makes a run that is tested like the one the weights come from', async () => {
    const { stdout } = await succeed(['import', 'weights.npz', ...weights, '--to', 'imported'], dir);
    expect(stdout).toBe(`weights.npz: 8 tensors, module. taken off their names
configuration: small.yaml

parameter                   shape
feature_embedding.0.weight  [8, 8, 3]  matched
feature_embedding.0.bias    [8]        matched
att_branch.weight           [3, 8, 1]  matched
att_branch.bias             [3]        matched
snippet_cls.weight          [3, 8]     matched
snippet_cls.bias            [3]        matched
feature_trans.weight        [4, 8]     matched
feature_trans.bias          [4]        matched

8 matched, 0 missing, 0 unexpected, 0 of another shape
wrote the run imported: inkling test imported --data DIR, predict, train --from imported
`);
    const tested = async (folder: string) => {
      const { metrics, average } = JSON.parse(
        (await succeed(['test', folder, '--data', 'data', '--json'], dir)).stdout,
      ) as Record<string, unknown>;
      return { metrics, average };
    };
    expect(await tested('imported')).toEqual(await tested('run'));
  });

  it('makes a run that is trained further, and gone on with', async () => {
    await succeed(['import', 'weights.npz', ...weights, '--to', 'again'], dir);
    await succeed(['train', 'small.yaml', ...phase2, '--set', 'train.epochs=1', '--from', 'again', '--out', 'tuned'], dir);
    expect(await metricsOf(join(dir, 'tuned'))).toHaveLength(1);
    // The run stands before its first epoch, so it can be gone on with, too.
    await succeed(['train', '--resume', 'again'], dir);
    expect(await metricsOf(join(dir, 'again'))).toHaveLength(3);
  });

  it('makes a model file, and says so in one JSON object', async () => {
    const { stdout } = await succeed(['import', 'partial.npz', ...weights, '--to', 'model.safetensors', '--json'], dir);
    expect(JSON.parse(stdout)).toEqual({
      file: 'partial.npz',
      model: 'acm-net',
      configuration: 'small.yaml',
      written: 'model.safetensors',
      counts: { matched: 6, missing: 2, unexpected: 1, wrongShape: 0 },
      matched: [
        'feature_embedding.0.weight',
        'feature_embedding.0.bias',
        'att_branch.weight',
        'att_branch.bias',
        'snippet_cls.weight',
        'snippet_cls.bias',
      ],
      missing: ['feature_trans.weight', 'feature_trans.bias'],
      unexpected: ['fc.weight'],
      wrongShape: [],
      adapted: [],
      classes: ['synthetic action 1', 'synthetic action 2'],
    });
    const { results } = JSON.parse((await succeed(['predict', 'model.safetensors', 'data/test', '--json'], dir)).stdout) as {
      results: object;
    };
    expect(Object.keys(results)).toHaveLength(3);
    expect(await run(['import', 'partial.npz', ...weights, '--to', 'model.safetensors'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: model.safetensors: the file exists; choose another one, or replace it by --force\n',
    });
  });

  it('shows the table and writes nothing if a shape is wrong, or with --strict anything is', async () => {
    const wrong = await run(['import', 'wrong.npz', ...weights, '--to', 'nothing']);
    expect(wrong.stdout).toContain('att_branch.bias             [3]        wrong shape: [4]\n');
    expect(wrong.stdout).toContain('7 matched, 0 missing, 0 unexpected, 1 of another shape\n');
    expect(wrong.stderr).toMatch(/^error: wrong.npz: nothing was written: att_branch.bias is \[4\], not \[3\] \(.*\)\n$/);
    const strict = await run(['import', 'partial.npz', ...weights, '--strict', '--to', 'nothing']);
    expect(strict.stdout).toContain('feature_trans.bias          [4]        missing: stays at its initial value\n');
    expect(strict.stdout).toContain('fc.weight                   [2]        unexpected: not used\n');
    expect(strict.stderr).toBe(
      'error: partial.npz: nothing was written: feature_trans.weight is missing; feature_trans.bias is missing; fc.weight is unexpected (--strict)\n',
    );
    expect([wrong.code, strict.code, existsSync(join(dir, 'nothing'))]).toEqual([1, 1, false]);
  });

  it('shows how names match without being told what the classes are called', async () => {
    const { stdout } = await succeed(['import', 'partial.npz', '--model', 'ftcl'], dir);
    expect(stdout).toContain('fc.weight                   [2]        unexpected: not used\n');
    expect(stdout).toMatch(/\n2 classes without names, which --to needs: --classes\n$/);
    const json = await succeed(['import', 'partial.npz', '--model', 'ftcl', '--json'], dir);
    expect(JSON.parse(json.stdout)).toMatchObject({ written: null, classes: null });
  });

  it('prints commands that can be copied', async () => {
    const { stdout } = await succeed(['import', 'weights.npz', ...weights, '--to', "it's new"], dir);
    expect(stdout).toContain("inkling test 'it'\\''s new' --data DIR, ");
  });

  it.each([
    [['weights.npz'], "required option '--model <name>' not specified"],
    [
      ['weights.npz', '--model', 'tridet'],
      "option '--model <name>' argument 'tridet' is invalid. Allowed choices are acm-net, ftcl, psl, tsm.",
    ],
    [['lost.pth', '--model', 'ftcl'], 'lost.pth: no such file'],
    // How many files depends on what is tested beside this.
    [['weights.npz', '--model', 'ftcl', '--to', 'run'], 'run: expected a new or empty folder, found '],
    [
      ['weights.npz', '--model', 'ftcl', '--to', 'new'],
      'weights.npz: it has 2 classes and does not say which; give 2 names by --classes (a JSON or text file, a,b,c, thumos14 or activitynet), or a --config that names them',
    ],
    [['small.yaml', '--model', 'ftcl'], 'small.yaml: '],
    [
      ['weights.npz', '--model', 'ftcl', '--classes', 'a,b', '--to', 'new.pth'],
      'new.pth: expected a new run folder, or a file ending in .safetensors, found the ending .pth',
    ],
    [
      ['weights.npz', '--model', 'ftcl', '--classes', 'a,b', '--to', 'none/new.safetensors'],
      'none/new.safetensors: there is no folder none to write it to',
    ],
  ])('is refused in one line: %j', async (args, message) => {
    const { code, stdout, stderr } = await run(['import', ...args]);
    expect([code, stdout, stderr.split('\n').length]).toEqual([1, '', 2]);
    expect(stderr.startsWith(`error: ${message}`)).toBe(true);
  });
});
