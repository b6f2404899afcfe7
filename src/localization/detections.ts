/** Detections of a set of videos, and their ActivityNet-style JSON. */

import { DataError } from '../data/formats/dataError.ts';

/** One detected action. */
export interface Detection {
  readonly label: string;
  readonly score: number;
  /** [start, end], seconds. */
  readonly segment: readonly [number, number];
}

/** Video name -> its detections. */
export type Detections = ReadonlyMap<string, readonly Detection[]>;

/** The ActivityNet results file. */
export interface DetectionsJson {
  readonly version: string;
  readonly results: Readonly<Record<string, readonly Detection[]>>;
  readonly external_data: Readonly<Record<string, unknown>>;
}

/** What {@link detectionsJson} writes beside the results. */
export interface DetectionsHeader {
  readonly version?: string;
  /** What beyond the benchmark's own data was used. */
  readonly externalData?: Readonly<Record<string, unknown>>;
}

/** `{version, results, external_data}`, ready for `JSON.stringify`. */
export function detectionsJson(detections: Detections, header: DetectionsHeader = {}): DetectionsJson {
  return {
    version: header.version ?? 'VERSION 1.3',
    results: Object.fromEntries(detections),
    external_data: header.externalData ?? { used: true, details: 'features of a pre-trained network' },
  };
}

/**
 * Reads an ActivityNet-style results object: `results` maps a video's name to a list of `{label, score, segment: [start, end]}`;
 * other keys are ignored.
 * @param where the file's name, for errors.
 * @throws DataError naming file, video and index for a missing or wrong key, a score or time that is not finite, or a
 * segment that ends before it starts.
 */
export function parseDetections(json: unknown, where: string): Map<string, Detection[]> {
  const results = isRecord(json) ? json.results : undefined;
  if (!isRecord(results)) {
    const found = isRecord(json) ? `${show(results)} at key "results"` : show(json);
    throw new DataError(where, `expected {"results": {video: [detections]}}, found ${found}`);
  }
  const detections = new Map<string, Detection[]>();
  for (const [video, list] of Object.entries(results)) {
    if (!Array.isArray(list)) {
      throw new DataError(where, `results[${JSON.stringify(video)}]: expected a list of detections, found ${show(list)}`);
    }
    const parsed = new Array<Detection>(list.length);
    for (let i = 0; i < list.length; i++) {
      parsed[i] = parseDetection(list[i], problem => {
        throw new DataError(where, `results[${JSON.stringify(video)}][${i}]${problem}`);
      });
    }
    detections.set(video, parsed);
  }
  return detections;
}

function parseDetection(value: unknown, fail: (problem: string) => never): Detection {
  if (!isRecord(value)) return fail(`: expected {label, score, segment}, found ${show(value)}`);
  const { label, score, segment } = value;
  if (typeof label !== 'string') return fail(`.label: expected a class name, found ${show(label)}`);
  if (!isFiniteNumber(score)) return fail(`.score: expected a finite number, found ${show(score)}`);
  if (!Array.isArray(segment) || segment.length !== 2 || !isFiniteNumber(segment[0]) || !isFiniteNumber(segment[1])) {
    return fail(`.segment: expected [start, end] in seconds, found ${show(segment)}`);
  }
  if (segment[1] < segment[0]) return fail(`.segment: expected start <= end, found ${show(segment)}`);
  return { label, score, segment: [segment[0], segment[1]] };
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  const text = Array.isArray(value) && value.every(v => typeof v === 'number') ? `[${value.join(', ')}]` : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
