import { DataError } from './formats/dataError.ts';

/** One labelled stretch of a video, or, without `segment`, the statement that the video shows `label` somewhere. */
export interface Instance {
  readonly label: string;
  /** Start and end in seconds. */
  readonly segment?: readonly [number, number];
}

/** What is known about one video. */
export interface VideoAnnotation {
  readonly name: string;
  /** Part of the data set, e.g. `validation` or `test`. */
  readonly subset?: string;
  /** Seconds. */
  readonly duration?: number;
  readonly frames?: number;
  /** Every label of the video once, in order of first appearance. */
  readonly labels: readonly string[];
  readonly instances: readonly Instance[];
}

/** An instance that ends after its video does. */
export interface PastDuration {
  readonly video: string;
  readonly subset?: string;
  readonly label: string;
  readonly segment: readonly [number, number];
  /** Seconds. */
  readonly duration: number;
}

/** The annotations of a data set. */
export interface Annotations {
  /** By name, in the order of the file. */
  readonly videos: ReadonlyMap<string, VideoAnnotation>;
  /** Instances that end after the stated duration. They are kept: published results count them. */
  readonly pastDuration: readonly PastDuration[];
  /** Class names in order, where the file lists them (an index of feature files does). */
  readonly classes?: readonly string[];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as it is shown in a message. */
function show(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/**
 * Reads ActivityNet-style annotations: `{database: {name: {subset, duration, frames, annotations: [{label, segment: [s, e]}]}}}`.
 * Everything but `annotations[].label` may be missing; an annotation without `segment` is a video-level label.
 * @param json the parsed file
 * @param where the file's name, for messages
 * @throws DataError naming the file, the video and the value, e.g. for a segment that is not finite or ends before its start
 */
export function parseAnnotations(json: unknown, where: string): Annotations {
  if (!isObject(json) || !isObject(json.database)) {
    throw new DataError(where, 'expected an object with the key "database" that maps video names to their annotations');
  }
  const videos = new Map<string, VideoAnnotation>();
  const pastDuration: PastDuration[] = [];
  for (const [name, value] of Object.entries(json.database)) {
    const video = parseVideo(name, value, `${where}: video ${JSON.stringify(name)}`);
    videos.set(name, video);
    const { duration, subset } = video;
    if (duration === undefined) continue;
    for (const { label, segment } of video.instances) {
      if (segment && segment[1] > duration) pastDuration.push({ video: name, subset, label, segment, duration });
    }
  }
  return { videos, pastDuration };
}

function parseVideo(name: string, value: unknown, place: string): VideoAnnotation {
  if (!isObject(value)) throw new DataError(place, `expected an object, found ${show(value)}`);
  const { subset, annotations = [] } = value;
  if (subset !== undefined && typeof subset !== 'string') {
    throw new DataError(place, `expected a name as subset, found ${show(subset)}`);
  }
  if (!Array.isArray(annotations)) throw new DataError(place, `expected a list of annotations, found ${show(annotations)}`);
  const instances = annotations.map((annotation: unknown, i) => parseInstance(annotation, `${place}, annotation ${i + 1}`));
  return {
    name,
    subset,
    duration: positiveNumber(value.duration, 'duration', place),
    frames: positiveNumber(value.frames, 'frames', place),
    labels: [...new Set(instances.map(instance => instance.label))],
    instances,
  };
}

function positiveNumber(value: unknown, key: string, place: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new DataError(place, `expected a positive number as ${key}, found ${show(value)}`);
  }
  return value;
}

function parseInstance(value: unknown, place: string): Instance {
  if (!isObject(value)) throw new DataError(place, `expected an object with a label, found ${show(value)}`);
  const { label, segment } = value;
  if (typeof label !== 'string' || label === '') throw new DataError(place, `expected a label, found ${show(label)}`);
  if (segment === undefined || segment === null) return { label };
  if (!Array.isArray(segment) || segment.length !== 2 || !segment.every(time => typeof time === 'number')) {
    throw new DataError(place, `expected segment [start, end] in seconds, found ${show(segment)}`);
  }
  const [start, end] = segment as [number, number];
  const shown = `[${start}, ${end}]`;
  if (!Number.isFinite(start) || !Number.isFinite(end)) throw new DataError(place, `segment ${shown} is not finite`);
  if (end < start) throw new DataError(place, `segment ${shown} ends before its start`);
  return { label, segment: [start, end] };
}

/** The warning about instances past the end of their video, naming every such video; undefined if there is none. */
export function pastDurationWarning(pastDuration: readonly PastDuration[]): string | undefined {
  if (pastDuration.length === 0) return undefined;
  const names = [...new Set(pastDuration.map(({ video }) => video))];
  return (
    `${pastDuration.length} segment${pastDuration.length === 1 ? ' ends' : 's end'} after the stated duration of the video ` +
    `(kept in evaluation), in ${names.length} video${names.length === 1 ? '' : 's'}: ${names.join(', ')}`
  );
}
