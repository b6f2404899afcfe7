import { type NDArray, ndarray } from '../engine/ndarray.ts';
import type { VideoAnnotation } from './annotations.ts';
import { DataError } from './formats/dataError.ts';

/**
 * Every label of the videos once, in order of first appearance: the class list of a data set that comes without one.
 */
export function classesOf(videos: Iterable<VideoAnnotation>): string[] {
  const classes = new Set<string>();
  for (const { labels } of videos) for (const label of labels) classes.add(label);
  return [...classes];
}

/**
 * Reads a class list: the JSON list of names, in the order of the model's outputs.
 * @throws DataError naming the file if it is no list of different names
 */
export function parseClasses(json: unknown, where: string): string[] {
  if (!Array.isArray(json) || json.length === 0 || !json.every(name => typeof name === 'string' && name !== '')) {
    throw new DataError(where, 'expected a list of class names');
  }
  const seen = new Set<string>();
  const repeated = json.find(name => seen.size === seen.add(name).size);
  if (repeated !== undefined) throw new DataError(where, `the class ${JSON.stringify(repeated)} is listed twice`);
  return json;
}

/**
 * Multi-hot label `[C]` of one video: 1 for every class that occurs in it. Only `labels` is read, never a segment.
 * @throws DataError naming the video and the label if the label is not in `classes`
 */
export function multiHotLabel(
  video: Pick<VideoAnnotation, 'name' | 'labels'>,
  classes: readonly string[],
  where: string,
): Float32Array {
  const label = new Float32Array(classes.length);
  for (const name of video.labels) {
    const index = classes.indexOf(name);
    if (index < 0) {
      throw new DataError(
        where,
        `video ${JSON.stringify(video.name)} has the unknown class ${JSON.stringify(name)}; the ${classes.length} classes are ${listed(classes)}`,
      );
    }
    label[index] = 1;
  }
  return label;
}

/** The first names of a list, and how many more there are. */
function listed(names: readonly string[], most = 20): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? `, ... (${more} more)` : '');
}

/** Label rows as one matrix `[videos, C]` float32. */
export function stackLabels(labels: readonly Float32Array[]): NDArray<'float32'> {
  const width = labels[0]?.length ?? 0;
  const out = new Float32Array(labels.length * width);
  labels.forEach((label, i) => {
    out.set(label, i * width);
  });
  return ndarray('float32', [labels.length, width], out);
}

/** How many there are of each class: all counts where the classes are few, else the fewest, the median and the most. */
export function countsPerClass(classes: readonly string[], counts: readonly number[], most = 20): string {
  if (classes.length <= most) return classes.map((name, i) => `${name} ${counts[i]}`).join(', ');
  const order = [...classes.keys()].sort((a, b) => counts[a] - counts[b]);
  const [fewest, median, largest] = [0, Math.floor(order.length / 2), order.length - 1].map(i => order[i]);
  return `${counts[fewest]} (${classes[fewest]}) / ${counts[median]} / ${counts[largest]} (${classes[largest]}) (fewest / median / most)`;
}
