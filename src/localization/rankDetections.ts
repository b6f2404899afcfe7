/** Detections, grouped by class and ranked. */

import type { Detections } from './detections.ts';
import type { Instances } from './groundTruth.ts';

/** Detections in columns, and for each class its rows in descending order of score. */
export interface RankedDetections {
  /** Ids of `truth.videoIds`; -1 for a video without ground truth. */
  readonly video: Int32Array;
  readonly score: Float64Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly ranked: readonly Int32Array[];
  readonly unknownLabels: number;
  readonly unlistedVideos: number;
  readonly warnings: string[];
}

/**
 * Detections as columns, ranked per class of the ground truth: descending score, equal scores in the order given. Detections with an
 * unknown label, or in a video that is not `listed`, are counted and left out.
 * @throws RangeError for a score or time that is not finite.
 */
export function rankDetections(detections: Detections, truth: Instances, listed: Set<string> | undefined): RankedDetections {
  const classIds = new Map(truth.classes.map((name, id) => [name, id]));
  const [video, classId, score, start, end]: number[][] = [[], [], [], [], []];
  const unknown = new Map<string, number>();
  let unlisted = 0;
  let strays = 0;
  const strayVideos: string[] = [];
  for (const [name, list] of detections) {
    if (listed && !listed.has(name)) {
      unlisted += list.length;
      continue;
    }
    const videoId = truth.videoIds.get(name) ?? -1;
    if (videoId < 0 && list.length > 0) {
      strays += list.length;
      strayVideos.push(name);
    }
    for (let i = 0; i < list.length; i++) {
      const { label, score: s, segment } = list[i];
      if (!Number.isFinite(s + segment[0] + segment[1])) {
        throw new RangeError(
          `detection ${i} of video "${name}": expected finite numbers, found score ${s}, segment [${segment}]`,
        );
      }
      const id = classIds.get(label);
      if (id === undefined) {
        unknown.set(label, (unknown.get(label) ?? 0) + 1);
        continue;
      }
      video.push(videoId);
      classId.push(id);
      score.push(s);
      start.push(segment[0]);
      end.push(segment[1]);
    }
  }
  const unknownLabels = [...unknown.values()].reduce((a, b) => a + b, 0);
  const of = truth.subset === undefined ? '' : ` of subset "${truth.subset}"`;
  const warnings: string[] = [];
  if (unknownLabels > 0) {
    warnings.push(
      `${unknownLabels} detections have a label that no ground truth${of} has and are left out: ${few([...unknown.keys()])}`,
    );
  }
  if (strays > 0)
    warnings.push(`${strays} detections are in videos without ground truth${of}, false positives: ${few(strayVideos)}`);
  if (unlisted > 0) warnings.push(`${unlisted} detections are in videos that are not listed and are left out`);
  return {
    video: Int32Array.from(video),
    score: Float64Array.from(score),
    start: Float64Array.from(start),
    end: Float64Array.from(end),
    ranked: rankPerClass(classId, score, truth.classes.length),
    unknownLabels,
    unlistedVideos: unlisted,
    warnings,
  };
}

function rankPerClass(classId: readonly number[], score: readonly number[], classes: number): Int32Array[] {
  const rows = Array.from({ length: classes }, (): number[] => []);
  classId.forEach((id, i) => {
    rows[id].push(i);
  });
  return rows.map(r => Int32Array.from(r).sort((a, b) => score[b] - score[a] || a - b));
}

function few(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
