import { Command, InvalidArgumentError } from 'commander';
import { parseCount, parseFraction, parseSeed } from './arguments.ts';

interface ClusterOptions {
  readonly features: string;
  readonly clusters: number;
  readonly out: string;
  readonly whiten?: number | true;
  readonly minMembers: number;
  readonly dropFarthest?: number;
  readonly restarts: number;
  readonly iterations: number;
  readonly subset?: string;
  readonly testClasses?: readonly string[];
  readonly seed: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Components that `--whiten` keeps unless it is told. */
const defaultComponents = 32;

/** `inkling cluster`: clusters of clips without labels, as classes for few-shot training. */
export function clusterCommand(): Command {
  return new Command('cluster')
    .description(
      'cluster clips without labels, and write an index whose classes are the clusters: few-shot learning without labels',
    )
    .requiredOption('--features <dir>', 'the feature folder; labels, if it has some, only say how good the clusters are')
    .requiredOption('--clusters <n>', 'number of clusters; one to three times the expected number of classes', parseCount)
    .requiredOption('--out <path>', 'a folder for the index and links to the features, or a .json file for the index alone')
    .option(
      '--whiten [components]',
      `whiten the embeddings by their first principal components (default: ${defaultComponents})`,
      parseCount,
    )
    .option('--min-members <n>', 'drop clusters with fewer clips; episodes take shot + queries from each', parseCount, 8)
    .option('--drop-farthest <share>', 'drop this share of each cluster, those farthest from its centre, e.g. 0.1', parseFraction)
    .option('--restarts <n>', 'starts of k-means, of which the best counts', parseCount, 10)
    .option('--iterations <n>', 'iterations of each start at most', parseCount, 100)
    .option('--subset <name>', 'the part of the index to cluster (default: train, if it states parts; else all clips)')
    .option('--test-classes <names>', 'classes, with commas, that keep their labels and are the part test', parseNames)
    .option('--seed <n>', 'seed of the clusters', parseSeed, 0)
    .option('--force', 'replace the index, if there is one')
    .option('--json', 'print the outcome as one JSON object')
    .addHelpText(
      'after',
      `
Clips of other parts than the clustered one keep their labels, so that one folder trains without labels and tests with them.
To train on the clusters, take any few-shot configuration and let the index say which class trains and which tests:

  $ inkling cluster --features data/gym-i3d --clusters 30 --min-members 4 --test-classes squat,deadlift,pull\\ up,push-up,leg\\ raises --out clusters
  $ inkling train fewshot/gym-i3d/hyrsm-plus-plus --data clusters --set data.classes=null --out runs/clusters

Without a part test, name how many clusters train: --set 'data.classes={train: 16, val: 0, test: 6}'.`,
    )
    .action(runCluster);
}

function parseNames(text: string): string[] {
  const names = text.split(',').map(name => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('expected names with commas.');
  return names;
}

async function runCluster(options: ClusterOptions): Promise<void> {
  const { dirname, join, relative } = await import('node:path');
  const { exists, makeFolder, requireNewFile, requireWritable, writeFileAtomic } = await import('../data/files.ts');
  const { clusterFolder, clusterIndexText, writeClusteredFolder } = await import('../train/clusterFolder.ts');
  const { consoleReporter } = await import('../train/reporter.ts');
  const { printJson, printLines } = await import('./output.ts');
  const { features, clusters, out, minMembers, restarts, iterations, subset, testClasses = [], seed, force } = options;
  const dropFarthest = options.dropFarthest ?? 0;
  const whiten = options.whiten === true ? defaultComponents : (options.whiten ?? null);
  const isFile = out.toLowerCase().endsWith('.json');
  const path = isFile ? out : join(out, 'index.json');
  if (!isFile && relative(features, out) === '') throw new Error(`--out ${out} is the feature folder; its index would be lost`);
  await requireWritable(dirname(path));
  if (isFile) await makeFolder(dirname(path));
  if (isFile || (await exists(path))) await requireNewFile(path, force);
  const reporter = consoleReporter();
  const settings = { clusters, whiten, minMembers, dropFarthest, restarts, iterations, seed };
  const found = await clusterFolder({
    ...{ ...settings, dir: features, subset, testClasses },
    onRead: (done, total) => reporter.progress({ label: 'reading', done, total }),
    onRestart: (done, total) => reporter.progress({ label: 'clustering', done, total }),
  });
  const { pseudo, counts, quality } = found;
  const kept = found.items.length - counts.labelled;
  if (pseudo.names.length < 2) {
    const sizes = sizesOf(pseudo.clustering.labels, clusters);
    throw new Error(
      `${features}: expected at least 2 clusters of ${minMembers} clips or more, found ${pseudo.names.length} (the largest has ${Math.max(...sizes)} clips before any is dropped)`,
    );
  }
  const text = clusterIndexText(found, { features, ...settings });
  const files = isFile ? undefined : await writeClusteredFolder(features, out, found, text);
  if (isFile) await writeFileAtomic(path, text);
  if (!pseudo.clustering.converged) reporter.warn(`the clusters still changed after ${iterations} iterations; see --iterations`);
  if (options.json) {
    const { iterations: taken, inertia, converged } = pseudo.clustering;
    printJson({
      ...{ index: path, clusters: pseudo.names.length, clips: kept, ...counts, dropped: pseudo.dropped },
      ...{ inertia, iterations: taken, converged, ...(files && { files }), quality: quality ?? null },
    });
    return;
  }
  const sizes = sizesOf(pseudo.labels, pseudo.names.length);
  const { dropped } = pseudo;
  printLines([
    `${path}: ${pseudo.names.length} clusters of ${Math.min(...sizes)} to ${Math.max(...sizes)} clips, ${kept} of ${counts.clustered} clips`,
    ...(dropped.clusters > 0
      ? [`dropped: ${dropped.clusters} clusters of fewer than ${minMembers} clips (${dropped.ofSmall} clips)`]
      : []),
    ...(dropped.far > 0 ? [`dropped: ${dropped.far} clips far from the centres of their clusters`] : []),
    ...(counts.labelled > 0 ? [`${counts.labelled} clips keep their labels`] : []),
    ...(counts.leftOut > 0 ? [`left out: ${counts.leftOut} clips of other parts without labels`] : []),
    ...(files && files.copied > 0 ? [`${files.copied} files were copied; links were not possible`] : []),
    ...(quality
      ? [
          `agreement with the ${quality.classes} true classes, which clustering did not see:`,
          `  all clips: ${qualityText(quality.all)}`,
          ...(quality.kept && kept < counts.clustered ? [`  clips kept: ${qualityText(quality.kept)}`] : []),
        ]
      : []),
    ...(isFile ? [`its files are relative to ${features}: put it there as index.json to train on it`] : []),
  ]);
}

function sizesOf(labels: Int32Array, count: number): number[] {
  const sizes = Array.from({ length: count }, () => 0);
  for (const label of labels) if (label >= 0) sizes[label]++;
  return sizes;
}

function qualityText({ purity, nmi, adjustedRand }: { purity: number; nmi: number; adjustedRand: number }): string {
  return `purity ${purity.toFixed(3)}, NMI ${nmi.toFixed(3)}, adjusted Rand ${adjustedRand.toFixed(3)}`;
}
