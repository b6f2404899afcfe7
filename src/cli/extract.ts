import { Command, InvalidArgumentError, Option } from 'commander';
import { withAllocator } from './allocator.ts';
import { deviceOption, parseCount } from './arguments.ts';
import type { ExtractSettings } from './extractSettings.ts';

interface ExtractOptions extends ExtractSettings {
  readonly backbone: string;
  readonly videos: string;
  readonly root?: string;
  readonly out: string;
  readonly threads?: number;
  readonly device?: 'cpu' | 'cuda' | 'webgpu';
  readonly json?: boolean;
}

/** `inkling extract`: features of videos from a frozen backbone. */
export function extractCommand(): Command {
  return new Command('extract')
    .description('run a frozen ONNX backbone over videos and write a feature folder: <name>.npy and features.json')
    .requiredOption('--backbone <model.onnx>', 'the backbone; what it needs may stand in <model>.yaml beside it')
    .requiredOption('--videos <path>', 'a video, a folder of videos, or a list: a text file of lines "path [label]"')
    .requiredOption('--out <dir>', 'the feature folder; one that is not finished is gone on with')
    .option('--root <dir>', 'the folder that the paths of a list are relative to (default: the folder of the list)')
    .option('--output <name>', 'the output of the model to take')
    .option('--size <pixels>', 'side of the square input (default: what the model fixes, else 224)', parseCount)
    .option(
      '--short-side <pixels>',
      'short side that frames are scaled to before the square is cut out (default: --size)',
      parseCount,
    )
    .option('--scale <number>', 'a value is (pixel x scale - mean) / std; may be a fraction (default: 1/255)', parseFraction)
    .option('--mean <numbers>', 'one, or three for R, G and B, with commas (default: 0)', parseNumbers)
    .option('--std <numbers>', 'one, or three for R, G and B, with commas (default: 1)', parseNumbers)
    .option('--stride <frames>', 'frames from one row of features to the next (default: --window)', parseCount)
    .option('--window <frames>', 'frames behind one row (default: 1, or what the model fixes)', parseCount)
    .option('--fps <rate>', 'frames a second that videos are brought to (default: their own)', parsePositive)
    .option('--batch <n>', 'inputs in one run of the model (default: 8)', parseCount)
    .addOption(new Option('--layout <axes>', 'axes of the input').choices(['nchw', 'nhwc', 'ncthw', 'ntchw', 'nthwc']))
    .addOption(deviceOption())
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling extract --backbone mobilenet.onnx --output features --scale 1/127.5 --mean 1 --videos clips --out features`,
    )
    .action((options: ExtractOptions) => withAllocator(() => runExtract(options)));
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

function parseFraction(text: string): number {
  const [over, under = '1', ...more] = text.split('/');
  if (more.length > 0) throw new InvalidArgumentError('expected a number, or a fraction such as 1/255.');
  return parsePositive(over) / parsePositive(under);
}

function parseNumbers(text: string): number[] {
  const values = text.split(',').map(Number);
  if (text.trim() === '' || ![1, 3].includes(values.length) || !values.every(Number.isFinite))
    throw new InvalidArgumentError('expected one number, or three with commas.');
  return values;
}

async function runExtract(options: ExtractOptions): Promise<void> {
  const { readExtractSettings } = await import('./extractSettings.ts');
  const { openBackbone } = await import('../video/backbone.ts');
  const { extractFeatures } = await import('../video/extract.ts');
  const { findVideos } = await import('../video/videoFiles.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { listenForInterrupt } = await import('./interrupt.ts');
  const { printJson, printLines } = await import('./output.ts');
  const { countText } = await import('./units.ts');
  const settings = await readExtractSettings(options);
  const videos = await findVideos(options.videos, options.root);
  const { device, threads, out } = options;
  const backbone = await openBackbone(options.backbone, { ...settings, device, threads });
  const reporter = consoleReporter();
  const interrupt = listenForInterrupt(() => reporter.info('stopping; the same command goes on (once more: at once)'));
  try {
    const { shortSide, stride, fps } = settings;
    const summary = await extractFeatures(videos, backbone, {
      ...{ out, shortSide, stride, fps },
      signal: interrupt.signal,
      onWarning: line => reporter.warn(line),
      // Tenths of a video: one may take hours.
      onProgress: (done, total, detail) =>
        reporter.progress({ label: 'extracting', done: Math.floor(10 * done) / 10, total, detail }),
    });
    if (summary.interrupted) process.exitCode = interrupt.exitCode() ?? 1;
    else if (summary.failures.length > 0) process.exitCode = 1;
    if (options.json) {
      printJson({ ...summary, width: backbone.width() ?? null });
      return;
    }
    const { done, skipped, failures, frames, rows } = summary;
    printLines([
      `${out}: ${countText(rows)} rows of ${countText(frames)} frames from ${done} videos${skipped > 0 ? `; ${skipped} had their features already` : ''}`,
      ...(failures.length > 0 ? [`${failures.length} gave none:`] : []),
      ...failures.map(({ video, problem }) => `  ${video}: ${problem}`),
    ]);
  } finally {
    interrupt.dispose();
    await backbone.dispose();
  }
}
