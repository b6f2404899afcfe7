import { Command } from 'commander';
import { withAllocator } from './allocator.ts';
import { deviceOption, parseCount } from './arguments.ts';
import { backboneOptions, parsePositive } from './backboneOptions.ts';
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
  const command = new Command('extract')
    .description('run a frozen ONNX backbone over videos and write a feature folder: <name>.npy and features.json')
    .requiredOption('--backbone <model.onnx>', 'the backbone; what it needs may stand in <model>.yaml beside it')
    .requiredOption('--videos <path>', 'a video, a folder of videos, or a list: a text file of lines "path [label]"')
    .requiredOption('--out <dir>', 'the feature folder; one that is not finished is gone on with')
    .option('--root <dir>', 'the folder that the paths of a list are relative to (default: the folder of the list)');
  for (const option of backboneOptions()) command.addOption(option);
  return command
    .option('--stride <frames>', 'frames from one row of features to the next (default: --window)', parseCount)
    .option('--fps <rate>', 'frames a second that videos are brought to (default: their own)', parsePositive)
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
