/** Clusters of the clips of a folder, and the index that makes classes of them (Node). */
import { copyFile, link, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { featureFolderFile } from '../data/featureFolder.ts';
import type { ListedFeatures } from '../data/featureIndex.ts';
import { readFeatureFile } from '../data/features.ts';
import { exists, makeFolder, writeFileAtomic } from '../data/files.ts';
import { DataError, messageOf } from '../data/formats/dataError.ts';
import { listUnlabelledClips } from '../data/unlabelledClips.ts';
import { key } from '../engine/random.ts';
import { asPoints, clipEmbedding } from '../fewshot/clipEmbedding.ts';
import { type PseudoClasses, type PseudoClassOptions, pseudoClasses } from '../fewshot/cluster.ts';
import { type ClusterQuality, clusterQuality } from '../fewshot/clusterQuality.ts';

export interface ClusterFolderOptions extends PseudoClassOptions {
  /** The folder of features. */
  readonly dir: string;
  /** The part whose clips are clustered; by default `train` or `training` where the index states parts, else all. */
  readonly subset?: string;
  /** Classes that are left as they are, to test on. */
  readonly testClasses: readonly string[];
  readonly seed: number;
  /** Called after each file that was read. */
  readonly onRead?: (done: number, total: number) => void;
}

/** A clip of the index to be written. */
export interface ClusteredClip extends Omit<ListedFeatures, 'label'> {
  readonly label: string;
}

export interface ClusteredFolder {
  /** Clusters, then the classes that are left as they are. */
  readonly classes: readonly string[];
  readonly items: readonly ClusteredClip[];
  readonly pseudo: PseudoClasses;
  /** Clips that were clustered; clips of other parts that keep their labels; clips of other parts left out, for they have none. */
  readonly counts: { readonly clustered: number; readonly labelled: number; readonly leftOut: number };
  /** Agreement with the labels of the clustered clips, of all and of those that are kept; undefined unless every one has a label. */
  readonly quality?: { readonly classes: number; readonly all: ClusterQuality; readonly kept?: ClusterQuality };
}

/**
 * Clusters the clips of a folder by their embeddings. Their labels are looked at for {@link ClusteredFolder.quality} alone.
 * @throws DataError naming the folder or file: no clips, features of another width, fewer different clips than clusters, a test class that is not there
 */
export async function clusterFolder(options: ClusterFolderOptions): Promise<ClusteredFolder> {
  const { dir, seed, onRead } = options;
  const { clustered, labelled, leftOut } = partsOf((await listUnlabelledClips(dir)).items, options);
  const embeddings: Float64Array[] = [];
  for (const { file } of clustered) {
    const path = join(dir, file);
    const embedding = clipEmbedding(await readFeatureFile(path));
    const width = embeddings[0]?.length ?? embedding.length;
    if (embedding.length !== width)
      throw new DataError(path, `expected features of width ${width}, as of ${clustered[0].file}, found ${embedding.length}`);
    embeddings.push(embedding);
    onRead?.(embeddings.length, clustered.length);
  }
  const pseudo = clustersOf(embeddings, options);
  const known = [...new Set(labelled.map(({ label }) => label))];
  const taken = known.find(name => pseudo.names.includes(name));
  if (taken !== undefined) throw new DataError(dir, `class ${JSON.stringify(taken)} has the name of a cluster`);
  const items = clustered.flatMap(({ file, duration }, i): ClusteredClip[] => {
    const label = pseudo.names[pseudo.labels[i]];
    return label === undefined ? [] : [{ file, label, subset: 'train', ...(duration !== undefined && { duration }) }];
  });
  const quality = qualityOf(clustered, pseudo);
  return {
    classes: [...pseudo.names, ...known],
    items: [...items, ...labelled],
    pseudo,
    counts: { clustered: clustered.length, labelled: labelled.length, leftOut },
    ...(quality && { quality }),
  };

  function clustersOf(rows: readonly Float64Array[], settings: PseudoClassOptions): PseudoClasses {
    try {
      return pseudoClasses(asPoints(rows), settings, key(seed));
    } catch (thrown) {
      if (thrown instanceof RangeError) throw new DataError(dir, messageOf(thrown), { cause: thrown });
      throw thrown;
    }
  }
}

interface Parts {
  readonly clustered: readonly ListedFeatures[];
  readonly labelled: readonly ClusteredClip[];
  readonly leftOut: number;
}

function partsOf(items: readonly ListedFeatures[], { dir, subset, testClasses }: ClusterFolderOptions): Parts {
  const tested = new Set(testClasses);
  const missing = testClasses.find(name => !items.some(({ label }) => label === name));
  if (missing !== undefined) throw new DataError(dir, `no clip has the label ${JSON.stringify(missing)}, a class to test on`);
  const isTested = ({ label }: ListedFeatures): boolean => label !== undefined && tested.has(label);
  const stated = items.some(item => item.subset !== undefined);
  const wanted = subset === undefined ? ['train', 'training'] : [subset.toLowerCase()];
  const isWanted = (item: ListedFeatures): boolean =>
    (subset === undefined && !stated) || wanted.includes(item.subset?.toLowerCase() ?? '');
  const clustered = items.filter(item => isWanted(item) && !isTested(item));
  if (clustered.length === 0) {
    const found = [...new Set(items.map(item => item.subset ?? 'none'))].join(', ');
    throw new DataError(
      dir,
      stated || subset !== undefined ? `no clips to cluster in the part ${wanted[0]} (parts: ${found})` : 'no clips to cluster',
    );
  }
  const others = items.filter(item => isTested(item) || !isWanted(item));
  const labelled = others.flatMap((item): ClusteredClip[] =>
    item.label === undefined ? [] : [{ ...item, label: item.label, ...(isTested(item) && { subset: 'test' }) }],
  );
  return { clustered, labelled, leftOut: others.length - labelled.length };
}

function qualityOf(clips: readonly ListedFeatures[], { clustering, labels }: PseudoClasses): ClusteredFolder['quality'] {
  const names = new Map<string, number>();
  const truth: number[] = [];
  for (const { label } of clips) {
    if (label === undefined) return undefined;
    if (!names.has(label)) names.set(label, names.size);
    truth.push(names.get(label) as number);
  }
  const kept = [...labels.keys()].filter(i => labels[i] >= 0);
  return {
    classes: names.size,
    all: clusterQuality(clustering.labels, truth),
    ...(kept.length > 0 && {
      kept: clusterQuality(
        kept.map(i => labels[i]),
        kept.map(i => truth[i]),
      ),
    }),
  };
}

/** An index as the text of its file, an item a line; `made` says what it was made with. */
export function clusterIndexText({ classes, items }: ClusteredFolder, made: Readonly<Record<string, unknown>>): string {
  const lines = items.map(item => JSON.stringify(item)).join(',\n');
  return `{"clusters":${JSON.stringify(made)},\n"classes":${JSON.stringify(classes)},\n"items":[\n${lines}\n]}\n`;
}

/**
 * Makes a folder of clustered clips: the index, and the feature files as further names (hard links) of those in `dir`, or copies where the file system has
 * no such names or is another one. `features.json`, which says what made the features, comes along. The index is written last.
 * @returns how many files are links and copies
 * @throws DataError naming a file that cannot be written, or is there already with another content
 */
export async function writeClusteredFolder(
  dir: string,
  out: string,
  { items }: ClusteredFolder,
  text: string,
): Promise<{ linked: number; copied: number }> {
  const counts = { linked: 0, copied: 0 };
  const files = items.map(({ file }) => file);
  if (await exists(join(dir, featureFolderFile))) files.push(featureFolderFile);
  await makeFolder(out);
  for (const file of files) {
    const [from, to] = [join(dir, file), join(out, file)];
    await makeFolder(dirname(to));
    counts[await linkOrCopy(from, to)]++;
  }
  await writeFileAtomic(join(out, 'index.json'), text);
  return counts;
}

async function linkOrCopy(from: string, to: string): Promise<'linked' | 'copied'> {
  try {
    await link(from, to);
    return 'linked';
  } catch (thrown) {
    if ((thrown as { code?: string }).code === 'EEXIST') return sameFile(from, to);
  }
  try {
    await copyFile(from, to);
    return 'copied';
  } catch (thrown) {
    throw new DataError(to, `cannot be written (${messageOf(thrown)})`, { cause: thrown });
  }
}

/** What is there already counts, if it is the same. */
async function sameFile(from: string, to: string): Promise<'linked' | 'copied'> {
  const [a, b] = [await stat(from), await stat(to)];
  if (a.ino === b.ino && a.dev === b.dev) return 'linked';
  if (a.size === b.size && (await readFile(from)).equals(await readFile(to))) return 'copied';
  throw new DataError(to, `a file with another content than ${from} is there already; choose another folder`);
}
