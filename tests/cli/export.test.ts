import { execFileSync } from 'node:child_process';
import { cp, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOnnxModel } from '../../src/data/formats/onnxModel.ts';
import { parseSafetensors } from '../../src/data/formats/safetensors.ts';
import { copyOf } from '../../src/engine/index.ts';
import { encodeModel, GraphBuilder } from '../../src/engine/onnx.ts';
import { loadCheckpoint } from '../../src/train/checkpoint.ts';
import { exportFile } from '../../src/train/exportFile.ts';
import { loadModel } from '../../src/train/model.ts';
import { runCli } from './runCli.ts';
import { featureDim, oneProcess, smallExperiment, succeed } from './smallRun.ts';

let dir = '';
let remove = async (): Promise<void> => {};
beforeAll(async () => {
  ({ dir, remove } = await smallExperiment());
  await succeed(['train', 'small.yaml', '--out', 'runs/small'], dir);
});
afterAll(() => remove());

const fail = async (args: readonly string[]): Promise<string> => {
  const { code, stderr } = await runCli(args, dir, oneProcess);
  expect(code).toBe(1);
  return stderr.trim();
};

describe('export', () => {
  it('writes one ONNX model with open axes, named ports and metadata, and says how it compares', async () => {
    const { stdout } = await succeed(['export', 'runs/small'], dir);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^small\.onnx: \d\.\d\d kB$/),
      `  input   features [batch, time, ${featureDim}]`,
      '  outputs classScores [batch, 3], attention [batch, time, 3], cas [batch, time, 3]',
      expect.stringMatching(
        /^ {2}checked against the trained model at 2, 3, 7, 8, 13, 16 snippets: largest difference \d\.\de[-+]\d+$/,
      ),
      '',
    ]);
    const model = parseOnnxModel(await readFile(join(dir, 'small.onnx')), 'small.onnx');
    expect(model.inputs).toEqual([{ name: 'features', dtype: 'float32', shape: ['batch', 'time', featureDim] }]);
    expect(model.outputs).toEqual([
      { name: 'classScores', dtype: 'float32', shape: ['batch', 3] },
      { name: 'attention', dtype: 'float32', shape: ['batch', 'time', 3] },
      { name: 'cas', dtype: 'float32', shape: ['batch', 'time', 3] },
    ]);
    expect(JSON.parse(model.metadata.get('classes') as string)).toEqual(['synthetic action 1', 'synthetic action 2']);
    expect(JSON.parse(model.metadata.get('preprocessing') as string)).toEqual({
      input: 'features',
      width: featureDim,
      extractor: null,
      sampling: 'uniform',
      mostSnippets: 16,
      fewestSnippets: 2,
    });
    const plain = ['task', 'method', 'framesPerSecond', 'snippetFrames'].map(key => model.metadata.get(key));
    expect(plain).toEqual(['localization', 'acm-net', '25', '16']);
    const weights = model.initializers.map(({ name }) => name).filter(name => /weight|bias/.test(name));
    expect(weights).toEqual([
      'feature_embedding.0.weight',
      'feature_embedding.0.bias',
      'att_branch.weight',
      'att_branch.bias',
      'snippet_cls.weight',
      'snippet_cls.bias',
    ]);
  });

  it('writes what predict takes in the place of the run, with the same detections', async () => {
    const { stdout } = await succeed(['export', 'runs/small', '--out', 'same.onnx', '--json'], dir);
    expect(JSON.parse(stdout)).toEqual({
      file: 'same.onnx',
      format: 'onnx',
      bytes: (await stat(join(dir, 'same.onnx'))).size,
      check: {
        inputs: [{ name: 'features', dtype: 'float32', shape: ['batch', 'time', featureDim] }],
        outputs: ['classScores', 'attention', 'cas'].map(name => expect.objectContaining({ name, dtype: 'float32' })),
        shapes: expect.arrayContaining([[1, 2, featureDim]]),
        sizes: '2, 3, 7, 8, 13, 16 snippets',
        largestDifference: expect.any(Number),
      },
    });
    const input = join('data', 'test');
    const lines = async (model: string) => (await succeed(['predict', model, input], dir)).stdout;
    const fromRun = await lines('runs/small');
    expect(fromRun.split('\n').length).toBeGreaterThan(3);
    expect(await lines('same.onnx')).toBe(fromRun);
  });

  it('writes the weights under their published names as safetensors', async () => {
    await succeed(['export', 'runs/small', '--out', 'weights.safetensors'], dir);
    const { tensors, metadata } = parseSafetensors(await readFile(join(dir, 'weights.safetensors')), 'weights');
    expect(tensors).toEqual((await loadCheckpoint(join(dir, 'runs/small'), 'last')).params);
    expect(Object.keys(tensors)).toContain('feature_trans.weight');
    expect(JSON.parse(metadata.inkling).classes).toEqual(['synthetic action 1', 'synthetic action 2']);
  });

  it('keeps what is there, unless told to replace it', async () => {
    await writeFile(join(dir, 'mine.onnx'), 'mine');
    expect(await fail(['export', 'runs/small', '--out', 'mine.onnx'])).toBe(
      'error: mine.onnx: the file exists; choose another one, or replace it by --force',
    );
    expect(await readFile(join(dir, 'mine.onnx'), 'utf8')).toBe('mine');
    await succeed(['export', 'runs/small', '--out', 'mine.onnx', '--force'], dir);
    const session = await InferenceSession.create(join(dir, 'mine.onnx'));
    expect(session.inputNames).toEqual(['features']);
    await session.release();
    await symlink('mine.onnx', join(dir, 'link.onnx'));
    await succeed(['export', 'runs/small', '--out', 'link.onnx', '--force'], dir);
    expect((await lstat(join(dir, 'link.onnx'))).isSymbolicLink()).toBe(true);
    expect((await readdir(dir)).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });

  it('does not keep a model that does not agree with the trained one, and leaves what was there', async () => {
    const model = await loadModel(join(dir, 'runs/small'));
    const bias = copyOf(model.params['att_branch.bias']);
    (bias.data as Float32Array)[0] = Number.NaN;
    const out = join(dir, 'kept.onnx');
    await writeFile(out, 'before');
    const spoilt = { ...model, params: { ...model.params, 'att_branch.bias': bias } };
    await expect(exportFile(spoilt, { format: 'onnx', out, force: true })).rejects.toThrow(
      `${out}: expected outputs within 0.00001 of the trained model's, found a difference of Infinity; it was not kept`,
    );
    expect(await readFile(out, 'utf8')).toBe('before');
    expect((await readdir(dir)).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });

  it('refuses what does not go together, in one line', async () => {
    expect(await fail(['export', 'runs/small', '--format', 'onnx', '--out', 'x.safetensors'])).toBe(
      'error: x.safetensors: its ending says safetensors, --format onnx',
    );
    expect(await fail(['export', 'runs/small', '--out', 'x.pth'])).toBe(
      'error: x.pth: expected a name ending in .onnx or .safetensors, or --format',
    );
    execFileSync('mkfifo', [join(dir, 'pipe.onnx')]);
    expect(await fail(['export', 'runs/small', '--out', 'pipe.onnx', '--force'])).toBe(
      'error: pipe.onnx: expected a file to write, found a device or pipe',
    );
    expect(await fail(['export', 'small.onnx'])).toMatch(
      /^error: small\.onnx: expected a run folder or a \.safetensors model, found an ONNX model/,
    );
    expect(await fail(['export', 'nowhere'])).toBe('error: nowhere: expected a run folder or a model file, found nothing');
    expect(await fail(['export', 'runs/small', '--out', 'no/such/folder/x.onnx'])).toBe(
      'error: no/such/folder/x.onnx: there is no folder no/such/folder to write it to',
    );
  });

  it('is named after the whole name of a run, dots included', async () => {
    await cp(join(dir, 'runs/small'), join(dir, 'runs/lr-0.5'), { recursive: true });
    const { stdout } = await succeed(['export', 'runs/lr-0.5', '--format', 'safetensors', '--json'], dir);
    expect(JSON.parse(stdout)).toMatchObject({ file: 'lr-0.5.safetensors' });
    const { stdout: again } = await succeed(['export', 'lr-0.5.safetensors', '--json'], dir);
    expect(JSON.parse(again)).toMatchObject({ file: 'lr-0.5.onnx' });
  });

  it('predict refuses an ONNX model of another kind', async () => {
    const g = new GraphBuilder();
    const port = { name: 'x', dtype: 'float32', shape: [1] } as const;
    await writeFile(join(dir, 'other.onnx'), encodeModel(g, [port], [{ ...port, name: g.node('Relu', ['x']) }]));
    expect(await fail(['predict', 'other.onnx', 'data/test'])).toBe(
      'error: other.onnx: expected a model that export wrote, from features to classScores, attention, cas, or from features or clips to probabilities, embeddings, uncertainty; found one from x to t0',
    );
    await writeFile(join(dir, 'broken.onnx'), 'no model');
    expect(await fail(['predict', 'broken.onnx', 'data/test'])).toMatch(/^error: broken\.onnx: expected an ONNX model, found /);
  });
});
