import { Command, InvalidArgumentError, Option } from 'commander';
import type { ClassDistance } from '../fewshot/classDistance.ts';
import { withAllocator } from './allocator.ts';
import { classDistanceOption, parseCount, parseSeed } from './arguments.ts';

interface FewshotEvalOptions {
  readonly features: string;
  readonly metric: readonly string[];
  readonly way?: number;
  readonly shot?: number;
  readonly queries?: number;
  readonly episodes?: number;
  readonly seed?: number;
  readonly classes?: string;
  readonly frames: number;
  readonly classDistance: ClassDistance;
  readonly perClass?: boolean;
  readonly saveEpisodes?: string;
  readonly episodesFrom?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** What stands in an episode list and cannot be asked for beside one. */
const drawing = ['way', 'shot', 'queries', 'episodes', 'seed', 'classes'] as const;

/** `inkling eval fewshot`: how well matching metrics do on cached features, without training. */
export function evalFewshotCommand(): Command {
  return new Command('fewshot')
    .description('accuracy of matching metrics in few-shot episodes on features, several side by side on the same episodes')
    .requiredOption('--features <dir>', 'features with index.json or features.json, or a folder of .npy files for each class')
    .option('--metric <name...>', 'the metrics, or all; see below (default: bi-mhm)')
    .option('--way <n>', 'classes of an episode (default: 5)', parseWay)
    .option('--shot <n>', 'clips of each to learn from (default: 1)', parseCount)
    .option('--queries <n>', 'clips of each to name (default: 1)', parseCount)
    .option('--episodes <n>', 'how many (default: 2000)', parseCount)
    .option('--seed <n>', 'what the episodes are drawn from (default: 0)', parseSeed)
    .option('--classes <file>', 'take only the classes of this list, one a line (default: all)')
    .addOption(
      new Option('--frames <n>', 'frames that every clip is brought to, by the nearest rows').argParser(parseCount).default(8),
    )
    .addOption(classDistanceOption('mean'))
    .option('--per-class', 'the accuracy of each class too')
    .option('--save-episodes <file>', 'write the episodes as a list to replay')
    .option('--episodes-from <file>', 'replay the episodes of a list in the place of drawing')
    .option('--threads <n>', 'threads within one operation', parseCount)
    .option('--json', 'print one JSON object, in fractions')
    .addHelpText(
      'after',
      `
Metrics:
  bi-mhm, bi-mhm-mean, max-mhm, mhm-query, mhm-support, hausdorff, mean-cosine  without order
  otam, dtw, diagonal                                                           of ordered frames

Example:
  $ inkling eval fewshot --features features --way 5 --shot 1 --metric bi-mhm otam --episodes 2000 --seed 1`,
    )
    .action((options: FewshotEvalOptions) => withAllocator(() => runEvalFewshot(options)));
}

function parseWay(text: string): number {
  const way = parseCount(text);
  if (way < 2) throw new InvalidArgumentError('expected at least 2 classes.');
  return way;
}

async function runEvalFewshot(options: FewshotEvalOptions): Promise<void> {
  const { openClipDataset } = await import('../data/clips.ts');
  const { readJson, readText, requireWritableFile, writeFileAtomic } = await import('../data/files.ts');
  const { parseSplit } = await import('../data/splits.ts');
  const { key } = await import('../engine/random.ts');
  const { episodeListText, parseEpisodeList, recordEpisodes, replayEpisodes } = await import('../fewshot/episodeList.ts');
  const { checkEpisodes, episodeAt } = await import('../fewshot/episodes.ts');
  const { judgeMetrics } = await import('../fewshot/judgeMetrics.ts');
  const { clipClasses, readClipSequences } = await import('../train/clipSequences.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { fewshotJson, fewshotLines } = await import('./fewshotTable.ts');
  const { parseMetrics } = await import('./matchingMetrics.ts');
  const { printJson, printLines } = await import('./output.ts');

  const { features, frames, episodesFrom, saveEpisodes, threads, perClass = false } = options;
  const { way = 5, shot = 1, queries = 1, episodes: count = 2000, seed = 0 } = options;
  const metrics = parseMetrics(options.metric ?? ['bi-mhm']);
  const asked = drawing.find(name => options[name] !== undefined);
  if (episodesFrom !== undefined && asked !== undefined)
    throw new Error(`--${asked} does not go with --episodes-from: the list has it`);
  if (saveEpisodes !== undefined) await requireWritableFile(saveEpisodes);
  const list = episodesFrom === undefined ? undefined : parseEpisodeList(await readJson(episodesFrom), episodesFrom);
  const only = options.classes === undefined ? list?.classes : parseSplit(await readText(options.classes), options.classes);
  const listed = clipClasses(await openClipDataset({ dir: features }), features, only);
  const form = { way, shot, queries };
  if (!list) checkEpisodes(listed, form, features);
  const classes = await readClipSequences(listed, frames);
  const nameOf = ({ name }: { readonly name: string }): string => name;
  const items = classes.map(each => each.items);
  const episodes = list
    ? replayEpisodes(list, classes, nameOf, episodesFrom!)
    : Array.from({ length: count }, (_, i) => episodeAt(items, form, key(seed), i));
  if (saveEpisodes !== undefined) {
    const recorded = recordEpisodes(episodes, classes.map(nameOf), nameOf, list ? list.seed : seed);
    await writeFileAtomic(saveEpisodes, episodeListText(recorded));
  }
  const reporter = consoleReporter();
  const judged = await judgeMetrics(episodes, {
    metrics,
    framesOf: ({ sequence }) => sequence,
    classDistance: options.classDistance,
    threads,
    onProgress: (done, total) => reporter.progress({ label: 'episodes', done, total }),
  });
  const report = {
    features,
    episodes: list ? { list: episodesFrom! } : { ...form, seed },
    count: episodes.length,
    frames,
    classDistance: options.classDistance,
    classes: classes.map(nameOf),
    clips: items.flat().length,
    shorterClips: items.flat().filter(({ rows }) => rows < frames).length,
    judged,
    perClass,
  };
  if (options.json) printJson(fewshotJson(report));
  else printLines(fewshotLines(report));
}
