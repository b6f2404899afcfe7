/**
 * `npm run bench:weights -- [MODEL ...] [--python PATH]`: exports trained models (run folders or model files; without any, fresh ACM-Net and FTCL
 * models at full width) as safetensors, loads them in PyTorch strictly by name and shape, and compares the forward outputs.
 * Needs a Python with torch (Debian's python3-torch serves /usr/bin/python3).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeNpz } from '../src/data/index.ts';
import { type NDArray, random } from '../src/engine/index.ts';
import { initAcmNet } from '../src/localization/acmNet.ts';
import { acmNetOptions } from '../src/localization/config.ts';
import { inferenceStep } from '../src/localization/steps.ts';
import { loadLocalizationConfig, requireLocalization } from '../src/train/config.ts';
import { exportFile } from '../src/train/exportFile.ts';
import { loadModel, type Model } from '../src/train/model.ts';
import { debianPython, findPython } from './peer.ts';

const { values, positionals } = parseArgs({ options: { python: { type: 'string' } }, allowPositionals: true });
const python = findPython(values.python, debianPython);
if (!python) {
  console.log('no Python with torch found: nothing to compare with');
  process.exit(0);
}

/** A model that was not trained, for its names and shapes. */
async function fresh(name: string): Promise<Model> {
  const { config } = await loadLocalizationConfig(name);
  const classes = config.data.classes ?? [];
  return { source: name, params: initAcmNet(acmNetOptions(config, classes.length), random.key(1)), classes, config };
}

const models =
  positionals.length > 0
    ? positionals.map(path => loadModel(path))
    : ['thumos14/acm-net', 'thumos14/ftcl', 'activitynet/acm-net'].map(each => fresh(`localization/${each}`));
for (const loading of models) {
  const model = await loading;
  const folder = mkdtempSync(join(tmpdir(), 'inkling-weights-'));
  const network = acmNetOptions(requireLocalization(model.config, model.source), model.classes.length);
  const step = inferenceStep({ network }, {});
  const cases: Record<string, NDArray> = {};
  for (const [i, time] of [2, 57, 750].entries()) {
    const features = random.uniform(random.key(i), [1, time, network.featureDim]);
    cases[`features.${i}`] = features;
    for (const [name, array] of Object.entries(await step(model.params, features))) cases[`${name}.${i}`] = array;
  }
  await step.dispose();
  const weights = join(folder, 'weights.safetensors');
  await exportFile(model, { format: 'safetensors', out: weights });
  writeFileSync(join(folder, 'cases.npz'), encodeNpz(cases));
  const args = ['bench/pytorch/load_weights.py', weights, join(folder, 'cases.npz')];
  const output = JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as {
    torch: string;
    strict: object;
    lengths: number[];
    differences: object;
  };
  console.log(
    `${model.source} (${model.config.method}): ${Object.keys(output.strict).length} parameters load strictly in PyTorch ${output.torch}`,
  );
  for (const [name, shape] of Object.entries(output.strict)) console.log(`  ${name.padEnd(28)} [${shape}]`);
  console.log(
    `  largest differences of the forward pass at ${output.lengths.join(', ')} snippets: ${JSON.stringify(output.differences)}`,
  );
  rmSync(folder, { recursive: true });
}
