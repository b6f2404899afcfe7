/** A recogniser that was taught by a few clips of each class, and nothing else. Pure. */
import { type ClassDistance, toClass } from './classDistance.ts';
import { type MetricName, matchingMetrics } from './matching/metrics.ts';
import { type Frames, toUnitFrames, unitFrameDistances } from './matching/sequenceDistances.ts';
import { calibrateRejection, type Rejection } from './rejection.ts';

/** What frames went through before they were features. */
export interface TaughtBackbone {
  /** The ONNX file. */
  readonly path: string;
  readonly sha256: string;
  readonly output: string;
  readonly layout: string;
  /** Frames behind one row. */
  readonly window: number;
  /** Side of the square input, and the short side that pictures are scaled to before. */
  readonly size: number;
  readonly shortSide: number;
  /** A value is (pixel x scale - mean) / std. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A clip that a recogniser was taught by. */
export interface Support {
  /** The file it came from. */
  readonly file: string;
  /** Place of its class. */
  readonly label: number;
  readonly sequence: Frames;
}

/** The recogniser. */
export interface Taught {
  readonly name: string;
  readonly classes: readonly string[];
  readonly metric: MetricName;
  readonly classDistance: ClassDistance;
  /** All have equally many frames of one width. */
  readonly supports: readonly Support[];
  readonly rejection: Rejection;
  /** Null: it was taught by feature files. */
  readonly backbone: TaughtBackbone | null;
}

/** {@link Taught} before its threshold is known. */
export type Lesson = Omit<Taught, 'rejection'> & {
  /** Changed views of each support, wanted where no class has two. */
  readonly views?: readonly (readonly Frames[])[];
};

/** Finds the threshold: {@link calibrateRejection} on the supports' distances by the metric. @throws RangeError as it does */
export function learn({ views, ...lesson }: Lesson): Taught {
  const { metric, classDistance, supports } = lesson;
  const unit = supports.map(({ sequence }) => toUnitFrames(sequence));
  const rejection = calibrateRejection({
    labels: supports.map(({ label }) => label),
    classDistance,
    between: (i, j) => distance(metric, unit[i], unit[j]),
    ...(views && { views: (i: number) => views[i].map(view => distance(metric, toUnitFrames(view), unit[i])) }),
  });
  return { ...lesson, rejection };
}

function distance(metric: MetricName, query: Frames, support: Frames): number {
  return matchingMetrics[metric].ofPair(unitFrameDistances(query, support), query.frames, support.frames);
}

/** What a recogniser says of a clip. */
export interface TaughtAnswer {
  /** All classes, the nearest first. */
  readonly classes: readonly {
    readonly label: string;
    /** Distance to the class's supports, by {@link Taught.classDistance}. */
    readonly distance: number;
    /** Softmax of minus the distances: how the classes compare, not whether it is one of them. */
    readonly probability: number;
  }[];
  /** Whether even the nearest class is farther than the threshold. */
  readonly isUnknown: boolean;
  /** The nearest support of the nearest class: its place, and distances of the frames, `[query frames, its frames]`. */
  readonly match: { readonly support: number; readonly distance: number; readonly frameDistances: Float64Array };
}

/**
 * Makes a recogniser ready: the answer to the frames of any clip.
 * @param threshold in the place of its own
 */
export function taughtRecognizer(
  { classes, metric, classDistance, supports, rejection }: Taught,
  threshold: number = rejection.threshold,
): (query: Frames) => TaughtAnswer {
  const unit = supports.map(({ sequence }) => toUnitFrames(sequence));
  return query => {
    const unitQuery = toUnitFrames(query);
    const matches = supports.map(({ label }, support) => {
      const frameDistances = unitFrameDistances(unitQuery, unit[support]);
      return {
        label,
        support,
        frameDistances,
        distance: matchingMetrics[metric].ofPair(frameDistances, query.frames, unit[support].frames),
      };
    });
    const distances = classes.map((_, label) =>
      toClass(
        classDistance,
        matches.flatMap(match => (match.label === label ? [match.distance] : [])),
      ),
    );
    const order = classes.map((_, label) => label).sort((a, b) => distances[a] - distances[b]);
    const weights = distances.map(each => Math.exp(distances[order[0]] - each));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const best = matches.filter(({ label }) => label === order[0]).reduce((a, b) => (b.distance < a.distance ? b : a));
    return {
      classes: order.map(label => ({
        label: classes[label],
        distance: distances[label],
        probability: weights[label] / total,
      })),
      isUnknown: distances[order[0]] > threshold,
      match: { support: best.support, distance: best.distance, frameDistances: best.frameDistances },
    };
  };
}
