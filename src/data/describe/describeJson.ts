/** What a JSON file holds, in the terms of the task where it is a file of the task. */

import { type Annotations, parseAnnotations } from '../annotations.ts';
import { type Description, type Entry, oneLine } from './description.ts';

/** So many nested levels are listed. */
const maxDepth = 3;

/** Entries that are looked at in each mapping or list; the rest is counted. */
const maxEntries = 1000;

/**
 * Describes a parsed JSON file: annotations and detections by their numbers, anything else by its structure.
 * @throws DataError for annotations that are wrong
 */
export function describeJson(json: unknown, where: string): Pick<Description, 'format' | 'facts' | 'entries'> {
  if (isObject(json) && isObject(json.database))
    return { format: 'annotations (ActivityNet style)', facts: annotationFacts(parseAnnotations(json, where)), entries: [] };
  const results = isObject(json) && isObject(json.results) ? Object.values(json.results) : [];
  if (results.length > 0 && results.every(isDetections))
    return { format: 'detections (ActivityNet style)', facts: detectionFacts(results), entries: [] };
  const entries = entriesOf(json, 0);
  return { format: 'JSON', facts: isContainer(json) ? {} : { value: valueText(json) }, entries };
}

/** Numbers of annotations: videos by subset, labels, segments. */
export function annotationFacts({ videos, pastDuration }: Annotations): Description['facts'] {
  const subsets = new Map<string, number>();
  const labels = new Map<string, number>();
  let [segments, withSegments] = [0, 0];
  for (const { subset, instances, labels: own } of videos.values()) {
    subsets.set(subset ?? '(no subset)', (subsets.get(subset ?? '(no subset)') ?? 0) + 1);
    for (const label of own) labels.set(label, (labels.get(label) ?? 0) + 1);
    const timed = instances.filter(instance => instance.segment).length;
    segments += timed;
    if (timed > 0) withSegments++;
  }
  return {
    videos: videos.size,
    subsets: [...subsets].map(([name, count]) => `${name} ${count}`),
    labels: labels.size,
    'videos by label': [...labels].map(([name, count]) => `${name} ${count}`),
    segments: `${segments} in ${withSegments} videos`,
    ...(pastDuration.length > 0 ? { 'segments past the end of their video': pastDuration.length } : {}),
  };
}

function detectionFacts(results: readonly (readonly Detected[])[]): Description['facts'] {
  const labels = new Map<string, number>();
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { label, score } of results.flat()) {
    labels.set(label, (labels.get(label) ?? 0) + 1);
    low = Math.min(low, score);
    high = Math.max(high, score);
  }
  const count = results.reduce((sum, list) => sum + list.length, 0);
  return {
    videos: results.length,
    detections: count,
    labels: labels.size,
    'detections by label': [...labels].map(([name, n]) => `${name} ${n}`),
    ...(count > 0 ? { scores: `${low} to ${high}` } : {}),
  };
}

interface Detected {
  readonly label: string;
  readonly score: number;
}

function isDetections(value: unknown): value is readonly Detected[] {
  return (
    Array.isArray(value) &&
    value.every(each => isObject(each) && typeof each.label === 'string' && typeof each.score === 'number')
  );
}

function entriesOf(value: unknown, depth: number): Entry[] {
  const pairs: [string, unknown][] = Array.isArray(value)
    ? value.slice(0, maxEntries).map((each, i) => [String(i), each])
    : isObject(value)
      ? Object.entries(value).slice(0, maxEntries)
      : [];
  const size = Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;
  const entries = pairs.map(([name, below]): Entry => {
    const isDeep = isContainer(below) && depth + 1 < maxDepth && !isPlainList(below);
    if (!isDeep) return { kind: 'value', name, text: valueText(below) };
    return { kind: 'group', name, what: Array.isArray(below) ? 'list' : 'mapping', entries: entriesOf(below, depth + 1) };
  });
  return size > maxEntries ? [...entries, { kind: 'value', name: '…', text: `${size - maxEntries} more` }] : entries;
}

function valueText(value: unknown): string {
  if (isObject(value)) return `mapping of ${Object.keys(value).length}`;
  if (Array.isArray(value) && !isPlainList(value)) return `list of ${value.length}`;
  if (Array.isArray(value) && value.length > 8)
    return `[${value
      .slice(0, 4)
      .map(each => oneLine(JSON.stringify(each), 24))
      .join(', ')}, …] (${value.length})`;
  return oneLine(JSON.stringify(value));
}

function isPlainList(value: unknown): boolean {
  return Array.isArray(value) && value.every(each => !isContainer(each));
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return isContainer(value) && !Array.isArray(value);
}
