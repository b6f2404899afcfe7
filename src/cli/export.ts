import { basename, extname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { OnnxValue } from '../data/index.ts';
import type { ExportFormat } from '../train/exportFile.ts';
import { withAllocator } from './allocator.ts';
import { parseCount } from './arguments.ts';

interface ExportOptions {
  readonly format?: ExportFormat;
  readonly out?: string;
  readonly checkpoint?: 'last' | 'best';
  readonly threads?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

const formats: readonly ExportFormat[] = ['onnx', 'safetensors'];

/** `inkling export`: a trained model as a file for other programs. */
export function exportCommand(): Command {
  return new Command('export')
    .description('write a trained model for other programs: ONNX for inference, safetensors for its weights')
    .argument('<model>', 'a run folder, or a model file')
    .addOption(
      new Option('--format <format>', 'default: what the ending of --out says; onnx without --out').choices([...formats]),
    )
    .option('--out <file>', 'the file to write (default: named after the run, in the current folder)')
    .addOption(new Option('--checkpoint <name>', 'which weights of a run (default: those it selected)').choices(['last', 'best']))
    .option('--threads <n>', 'threads within one operation, for the check', parseCount)
    .option('--force', 'replace the file if it exists')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  $ inkling export runs/phase2 --format onnx --out localiser.onnx')
    .action((model: string, options: ExportOptions) => withAllocator(() => runExport(model, options)));
}

async function runExport(path: string, options: ExportOptions): Promise<void> {
  const { loadModel } = await import('../train/model.ts');
  const { exportFile } = await import('../train/exportFile.ts');
  const { printJson, printLines } = await import('./output.ts');
  const format = formatOf(options);
  const out = options.out ?? `${basename(resolve(path)).replace(/\.safetensors$/i, '')}.${format}`;
  const model = await loadModel(path, options.checkpoint);
  const summary = await exportFile(model, { format, out, force: options.force, threads: options.threads });
  const { bytesText } = await import('./units.ts');
  const { file, check } = summary;
  if (options.json) {
    printJson({ ...summary });
    return;
  }
  const size = bytesText(summary.bytes);
  if (!check) {
    printLines([`${file}: ${size}, ${Object.keys(model.params).length} parameters under their published names`]);
    return;
  }
  const ports = (list: readonly OnnxValue[]) => list.map(({ name, shape }) => `${name} [${shape?.join(', ')}]`).join(', ');
  const { inputs, outputs, sizes, largestDifference } = check;
  printLines([
    `${file}: ${size}`,
    `  input   ${ports(inputs)}`,
    `  outputs ${ports(outputs)}`,
    `  checked against the trained model at ${sizes}: largest difference ${largestDifference.toExponential(1)}`,
  ]);
}

function formatOf({ format, out }: ExportOptions): ExportFormat {
  if (out === undefined) return format ?? 'onnx';
  const ending = formats.find(each => extname(out).toLowerCase() === `.${each}`);
  if (format !== undefined && ending !== undefined && format !== ending)
    throw new Error(`${out}: its ending says ${ending}, --format ${format}`);
  const chosen = format ?? ending;
  if (chosen === undefined)
    throw new Error(`${out}: expected a name ending in ${formats.map(each => `.${each}`).join(' or ')}, or --format`);
  return chosen;
}
