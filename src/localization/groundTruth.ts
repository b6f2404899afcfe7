/** Ground-truth instances, grouped for matching. */

/** The ground truth an evaluation needs; parsed annotations fit. A segment is [start, end] in seconds, past the duration or not. */
export interface GroundTruth {
  readonly videos: ReadonlyMap<
    string,
    {
      readonly subset?: string;
      readonly instances: readonly { readonly label: string; readonly segment?: readonly [number, number] }[];
    }
  >;
}

/** Ground truth in columns; instances of one (class, video) are contiguous, in file order. */
export interface Instances {
  readonly classes: string[];
  readonly videoIds: Map<string, number>;
  /** Instances per class. */
  readonly perClass: number[];
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Half-open range of the instances of a (class, video), by {@link pairKey}. */
  readonly ranges: Map<number, readonly [number, number]>;
  /** How many videos the ids of {@link videoIds} count. */
  readonly videoCount: number;
  readonly subset?: string;
}

/** One number for a (class, video). */
export function pairKey(classId: number, videoId: number, videoCount: number): number {
  return classId * videoCount + videoId;
}

/**
 * The instances of a subset (all if undefined), restricted to the listed videos if given; class ids by first appearance.
 * @throws RangeError if there are none, or one has no segment.
 */
export function collectInstances(
  { videos }: GroundTruth,
  subset: string | undefined,
  listed: Set<string> | undefined,
): Instances {
  const classIds = new Map<string, number>();
  const videoIds = new Map<string, number>();
  const rows: { classId: number; videoId: number; segment: readonly [number, number] }[] = [];
  for (const [name, video] of videos) {
    if ((subset !== undefined && video.subset !== subset) || (listed && !listed.has(name))) continue;
    const videoId = videoIds.size;
    videoIds.set(name, videoId);
    video.instances.forEach(({ label, segment }, i) => {
      if (!segment) throw new RangeError(`mAP needs segments: instance ${i} ("${label}") of video "${name}" has none`);
      let classId = classIds.get(label);
      if (classId === undefined) {
        classId = classIds.size;
        classIds.set(label, classId);
      }
      rows.push({ classId, videoId, segment });
    });
  }
  if (rows.length === 0) {
    const subsets = [...new Set([...videos.values()].map(v => v.subset ?? 'none'))].join(', ');
    const wanted = `${subset === undefined ? '' : ` of subset "${subset}"`}${listed ? ' in the listed videos' : ''}`;
    throw new RangeError(`the ground truth has no instances${wanted} (its subsets: ${subsets || 'none'})`);
  }
  // Array sorting is stable, so that instances of one class and video stay in file order.
  rows.sort((a, b) => a.classId - b.classId || a.videoId - b.videoId);
  const perClass = new Array<number>(classIds.size).fill(0);
  const ranges = new Map<number, readonly [number, number]>();
  rows.forEach(({ classId, videoId }, i) => {
    perClass[classId]++;
    const key = pairKey(classId, videoId, videoIds.size);
    ranges.set(key, [ranges.get(key)?.[0] ?? i, i + 1]);
  });
  return {
    classes: [...classIds.keys()],
    videoIds,
    perClass,
    start: Float64Array.from(rows, r => r.segment[0]),
    end: Float64Array.from(rows, r => r.segment[1]),
    ranges,
    videoCount: videoIds.size,
    subset,
  };
}
