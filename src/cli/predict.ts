import { extname } from 'node:path';
import { Command, Option } from 'commander';
import type { Device } from '../engine/index.ts';
import { withAllocator } from './allocator.ts';
import { deviceOption, parseCount } from './arguments.ts';

interface PredictOptions {
  readonly checkpoint?: 'last' | 'best';
  readonly device?: Device;
  readonly threads?: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** `inkling predict`: detections in feature files. */
export function predictCommand(): Command {
  return new Command('predict')
    .description('find actions in feature files')
    .argument('<model>', 'a run folder, or a model file (.safetensors, or .onnx from export)')
    .argument('<inputs...>', 'feature files (.npy, .npz), or folders of them (also with rgb/ and flow/ inside)')
    .addOption(new Option('--checkpoint <name>', 'which weights of a run (default: those it selected)').choices(['last', 'best']))
    .addOption(deviceOption())
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option('--out <file>', 'write the detections to a file, as ActivityNet-style JSON')
    .option('--json', 'print one JSON object: the detections, or with --out how many there are')
    .addHelpText('after', '\nExample:\n  $ inkling predict runs/phase2 features/video1.npy --out detections.json')
    .action((model: string, inputs: string[], options: PredictOptions) =>
      withAllocator(() => runPredict(model, inputs, options)),
    );
}

async function runPredict(modelPath: string, inputs: readonly string[], options: PredictOptions): Promise<void> {
  const { out, json, checkpoint, device, threads } = options;
  if (out !== undefined) await (await import('../data/files.ts')).requireWritableFile(out);
  const { featureInputs } = await import('./featureInputs.ts');
  const files = await featureInputs(inputs);
  const { consoleReporter } = await import('../train/reporter.ts');
  const { loadModel } = await import('../train/model.ts');
  const { loadExportedModel } = await import('../train/exportedModel.ts');
  const { predictFiles } = await import('../train/predict.ts');
  const { detectionsJson } = await import('../localization/detections.ts');
  const { printJson, printLines } = await import('./output.ts');
  const isOnnx = extname(modelPath).toLowerCase() === '.onnx';
  const model = isOnnx ? await loadExportedModel(modelPath) : await loadModel(modelPath, checkpoint);
  const found = await predictFiles(model, files, {
    reporter: consoleReporter(),
    device,
    threads,
  });
  const result = detectionsJson(found);
  const count = [...found.values()].reduce((sum, detections) => sum + detections.length, 0);
  if (out !== undefined) {
    const { writeFileAtomic } = await import('../data/files.ts');
    await writeFileAtomic(out, `${JSON.stringify(result)}\n`);
    if (json) printJson({ file: out, videos: found.size, detections: count });
    else printLines([`${out}: ${count} detection${count === 1 ? '' : 's'} in ${found.size} video${found.size === 1 ? '' : 's'}`]);
    return;
  }
  if (json) {
    printJson({ ...result });
    return;
  }
  printLines(
    [...found].flatMap(([video, detections]) =>
      detections
        .toSorted((a, b) => b.score - a.score)
        .map(
          ({ label, score, segment }) =>
            `${video}\t${segment.map(time => time.toFixed(2)).join('\t')}\t${label}\t${score.toFixed(4)}`,
        ),
    ),
  );
}
