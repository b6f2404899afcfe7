import { Command, Option } from 'commander';
import type { ClassDistance } from '../fewshot/classDistance.ts';
import type { TaughtClass } from '../train/teach.ts';
import { withAllocator } from './allocator.ts';
import { classDistanceOption, collect, deviceOption, parseCount } from './arguments.ts';
import { backboneOptions } from './backboneOptions.ts';
import type { ExtractSettings } from './extractSettings.ts';

interface TeachCommandOptions extends Omit<ExtractSettings, 'stride' | 'fps'> {
  readonly support: readonly string[];
  readonly backbone?: string;
  readonly metric: string;
  readonly classDistance: ClassDistance;
  readonly frames: number;
  readonly out?: string;
  readonly threads?: number;
  readonly device?: 'cpu' | 'cuda' | 'webgpu';
  readonly json?: boolean;
}

/** `inkling teach`: a recogniser from a few clips of each class. */
export function teachCommand(): Command {
  const command = new Command('teach')
    .description('make a recogniser from one or a few clips of each class, without training; predict asks it')
    .argument('<name>', 'what the recogniser is called')
    .requiredOption(
      '--support <class=clips>',
      'a class and its clips, with commas: videos, feature files (.npy, .npz) or folders of them; once for each class',
      collect,
    )
    .option('--backbone <model.onnx>', 'what makes features of videos; what it needs may stand in <model>.yaml beside it')
    .option('--metric <name>', 'how clips are compared (inkling eval fewshot --help names all)', 'bi-mhm')
    .addOption(classDistanceOption('nearest'))
    .addOption(new Option('--frames <n>', 'frames of each clip that are compared').argParser(parseCount).default(8))
    .option('--out <file>', 'the recogniser (default: <name>.safetensors)');
  for (const option of backboneOptions()) command.addOption(option);
  return command
    .addOption(deviceOption())
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ inkling teach moves --support waving=wave1.mp4,wave2.mp4 --support jumping=jumps --backbone mobilenet.onnx --output features
  $ inkling predict moves.safetensors new.mp4 --alignment match.svg`,
    )
    .action((name: string, options: TeachCommandOptions) => withAllocator(() => runTeach(name, options)));
}

async function runTeach(name: string, options: TeachCommandOptions): Promise<void> {
  const { exists, requireWritableFile } = await import('../data/files.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { isTaughtFile, teach, writeTaught } = await import('../train/teach.ts');
  const { parseMetrics } = await import('./matchingMetrics.ts');
  const { printJson, printLines } = await import('./output.ts');
  const { shellWord } = await import('./shellWord.ts');
  const { readExtractSettings } = await import('./extractSettings.ts');

  if (/[\\/]/.test(name) || name === '')
    throw new Error(`${JSON.stringify(name)}: expected a name, not a path; --out FILE says where it goes`);
  const { support, backbone, frames, classDistance, device, threads, out = `${name}.safetensors` } = options;
  const [metric, ...more] = parseMetrics([options.metric]);
  if (more.length > 0) throw new Error('--metric: a recogniser has one metric; inkling eval fewshot compares all');
  await requireWritableFile(out);
  if ((await exists(out)) && !(await isTaughtFile(out)))
    throw new Error(`${out}: is there already and is no recogniser; --out FILE chooses another name`);
  const classes: TaughtClass[] = [];
  for (const text of support) classes.push(await parseSupport(text, backbone !== undefined));
  const settings = backbone === undefined ? undefined : await readExtractSettings({ ...options, backbone });
  const taught = await teach(name, classes, {
    ...{ metric, classDistance, frames, device, threads },
    ...(backbone !== undefined && { backbone: { ...settings, path: backbone } }),
    reporter: consoleReporter(),
  });
  await writeTaught(out, taught);
  const { rejection, supports } = taught;
  const [{ sequence }] = supports;
  if (options.json) {
    printJson({
      file: out,
      name,
      classes: classes.map(each => ({ label: each.name, clips: each.files.length })),
      metric,
      classDistance,
      frames,
      width: sequence.width,
      rejection,
      backbone: taught.backbone,
    });
    return;
  }
  const { rejectionLines } = await import('./taughtText.ts');
  printLines([
    `${out}: ${classes.map(each => `${each.name} (${each.files.length})`).join(', ')}; ${frames} frames of width ${sequence.width}, metric ${metric}`,
    ...rejectionLines(rejection),
    `ask it: inkling predict ${shellWord(out)} CLIP ...`,
  ]);
}

/** A class and its clips from `class=clip,clip`. A file may have a "=" in its name, a class not. */
async function parseSupport(text: string, hasBackbone: boolean): Promise<TaughtClass> {
  const { exists } = await import('../data/files.ts');
  const { clipInputs } = await import('./clipInputs.ts');
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidSupport(text, 'expected CLASS=CLIP,CLIP,...');
  const name = text.slice(0, at);
  const clips = text
    .slice(at + 1)
    .split(',')
    .filter(clip => clip !== '');
  if (clips.length === 0) throw new InvalidSupport(text, `class ${JSON.stringify(name)} has no clip`);
  const strange = clips[0].includes('=') && !(await exists(clips[0]));
  if (strange)
    throw new InvalidSupport(
      text,
      `a class name cannot hold "=": this is class ${JSON.stringify(name)} and a clip ${JSON.stringify(clips[0])}, which is not there`,
    );
  return { name, files: await clipInputs(clips, hasBackbone) };
}

class InvalidSupport extends Error {
  constructor(text: string, problem: string) {
    super(`--support ${JSON.stringify(text)}: ${problem}`);
  }
}
