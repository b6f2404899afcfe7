/**
 * Prototypical similarity learning (PSL): a clip is drawn to its class's prototype, and to other clips of the class, only up to a similarity
 * below 1, so that an embedding keeps what tells clips of one class apart. Source: J. Cen et al., "Enlarging instance-specific and class-specific
 * information for open-set action recognition", CVPR 2023, sections 3.2 and 3.3.
 */
import {
  abs,
  add,
  cast,
  concat,
  div,
  equal,
  expandDims,
  greaterEqual,
  iota,
  less,
  logicalAnd,
  logicalNot,
  logicalOr,
  logSumExp,
  matmul,
  maximum,
  mean,
  mul,
  ShapeError,
  slice,
  softmax,
  stopGradient,
  sub,
  sum,
  type Tensor,
  where,
} from '../engine/index.ts';
import { unitRows } from './unitRows.ts';

/** What of a batch enters the loss, and how. Similarities are cosines, a target s is the similarity that a pair is drawn to. */
export interface PslLossOptions {
  /** tau: similarities are divided by it. */
  readonly temperature: number;
  /** Rows of a video: 1, or 2 for a clip followed by its second clip. */
  readonly clips: 1 | 2;
  /** Whether there are prototypes at all: the own one is a positive, the others are in the denominator. */
  readonly prototypes: boolean;
  /** s of the own prototype, which counts as 1 - |similarity - s|; null: the similarity itself. */
  readonly prototypeTarget: number | null;
  /** Other clips of the same class: `out` of the loss, in the `denominator` as |similarity - s|, or `positive` as 1 - |similarity - s|. */
  readonly sameClass: 'out' | 'denominator' | 'positive';
  /** s of clips of the same class; null: the similarity itself, either way. */
  readonly sameClassTarget: number | null;
  /** Weight of the terms of the same class in the denominator. */
  readonly sameClassWeight: number;
  /** Whether clips of other classes are in the denominator. */
  readonly otherClasses: boolean;
  /**
   * What second clips are: `shuffled`: those with the label -1 are in the denominator of their own first clip as |similarity - s|, the others have
   * no part in the loss; `clips`: clips of their class like the first ones.
   */
  readonly secondClips: 'shuffled' | 'clips';
  /** s of a clip and its shuffled copy. */
  readonly shuffledTarget: number;
  /** Which rows the loss is the mean of: the `first` clips of the videos, or `all`. */
  readonly anchors: 'first' | 'all';
}

/** PSL as published: two clips of a video, the second one shuffled. The authors' own scores were made with targets of 0.8. */
export const pslPreset = {
  temperature: 0.2,
  clips: 2,
  prototypes: true,
  prototypeTarget: 0.7,
  sameClass: 'denominator',
  sameClassTarget: 0.7,
  sameClassWeight: 1,
  otherClasses: true,
  secondClips: 'shuffled',
  shuffledTarget: 0.7,
  anchors: 'first',
} as const satisfies PslLossOptions;

/**
 * The published variants, most of them steps from a cosine classifier to PSL; those without `clips: 2` take one clip of a video:
 * - `cosine`: cross-entropy of a cosine classifier; `prototype`: with a target; `prototype-negatives`: and clips of other classes;
 * - `single-clip`: and clips of the same class in the denominator, which is PSL without shuffled clips; `single-clip-positives`: as positives;
 * - `no-targets`, `two-clips-no-targets`: prototypes and clips without targets; `supervised-contrastive`: clips alone.
 */
export const pslVariants = {
  psl: pslPreset,
  cosine: { ...pslPreset, clips: 1, anchors: 'all', prototypeTarget: null, sameClass: 'out', otherClasses: false },
  prototype: { ...pslPreset, clips: 1, anchors: 'all', sameClass: 'out', otherClasses: false },
  'prototype-negatives': { ...pslPreset, clips: 1, anchors: 'all', sameClass: 'out' },
  'single-clip': { ...pslPreset, clips: 1, anchors: 'all' },
  'single-clip-positives': { ...pslPreset, clips: 1, anchors: 'all', sameClass: 'positive' },
  'no-targets': { ...pslPreset, clips: 1, anchors: 'all', sameClass: 'positive', prototypeTarget: null, sameClassTarget: null },
  'two-clips-no-targets': { ...pslPreset, secondClips: 'clips', prototypeTarget: null, sameClassTarget: null },
  'supervised-contrastive': {
    ...pslPreset,
    secondClips: 'clips',
    prototypes: false,
    sameClass: 'positive',
    sameClassTarget: null,
    anchors: 'all',
  },
} as const satisfies Record<string, PslLossOptions>;

/** A batch's loss. */
export interface PslLoss {
  readonly loss: Tensor;
  /** Of each anchor, `[anchors]`. */
  readonly perAnchor: Tensor;
  /** softmax(similarity to the prototypes / tau) of the anchors, `[anchors, K]`; undefined without prototypes. */
  readonly probabilities: Tensor | undefined;
}

/** Terms of the loss, `[anchors, terms]`: the exponents' values, which of them are there, and which are positives. */
interface Terms {
  readonly value: Tensor;
  readonly present: Tensor;
  readonly positive: Tensor;
}

/** Exponent of a term that is not there: e^absent is 0 in both precisions, and nothing overflows on the way. */
const absent = -1e30;

/**
 * The PSL loss and its variants: for each anchor the mean over its positives of -log(e^(positive / tau) / sum over all terms of e^(term / tau)),
 * and the mean of that over the anchors. An anchor without any positive (no prototypes, alone in its class) adds 0.
 * @param z unit-length embeddings `[rows, D]`; with two clips a video, its clips are consecutive rows
 * @param labels class of each row, -1 for a shuffled clip: integers `[rows]`
 * @param prototypes `[K, D]` of any length; the loss normalises them
 * @throws ShapeError if the rows are not whole videos, or labels are not one a row
 */
export function pslLoss(z: Tensor, labels: Tensor, prototypes: Tensor | undefined, options: PslLossOptions): PslLoss {
  const { clips, temperature, anchors } = options;
  const rows = z.shape[0];
  if (rows % clips !== 0) throw new ShapeError(`pslLoss: expected ${clips} rows a video, found ${rows} rows`);
  if (labels.rank !== 1 || labels.shape[0] !== rows)
    throw new ShapeError(`pslLoss: expected ${rows} labels, one a row, found shape [${labels.shape}]`);
  if (options.prototypes && !prototypes) throw new ShapeError('pslLoss: expected prototypes, found none');
  const isPair = clips === 2;
  const first = (x: Tensor) => (isPair ? slice(x, 0, 0, rows, 2) : x);
  const second = (x: Tensor) => slice(x, 0, 1, rows, 2);
  const anchorRows = anchors === 'first' ? first : (x: Tensor) => x;
  const [anchor, anchorLabels] = [anchorRows(z), anchorRows(labels)];
  // Second clips that may be shuffled are no clips of their class.
  const clipRows = isPair && options.secondClips === 'shuffled' ? first : (x: Tensor) => x;

  const terms: Terms[] = [];
  const similarity = options.prototypes && prototypes ? matmul(anchor, unitRows(prototypes), { transposeB: true }) : undefined;
  if (similarity) terms.push(prototypeTerms(similarity, anchorLabels, options));
  if (options.sameClass !== 'out' || options.otherClasses) {
    const places = (of: (x: Tensor) => Tensor) => of(iota(rows));
    const columns = { z: clipRows(z), labels: clipRows(labels), place: places(clipRows) };
    terms.push(clipTerms({ z: anchor, labels: anchorLabels, place: places(anchorRows) }, columns, options));
  }
  if (isPair && options.secondClips === 'shuffled') {
    const own = sum(mul(first(z), second(z)), -1, true);
    const isShuffled = expandDims(less(second(labels), 0), 1);
    terms.push({ value: abs(sub(own, options.shuffledTarget)), present: isShuffled, positive: nowhere(isShuffled) });
  }
  const perAnchor = contrast(terms, temperature);
  return {
    loss: mean(perAnchor),
    perAnchor,
    probabilities: similarity && softmax(mul(similarity, 1 / temperature)),
  };
}

/** The own prototype as positive, the others as they are. */
function prototypeTerms(similarity: Tensor, labels: Tensor, { prototypeTarget }: PslLossOptions): Terms {
  const own = equal(expandDims(labels, 1), expandDims(cast(iota(similarity.shape[1]), labels.dtype), 0));
  const value = prototypeTarget === null ? similarity : where(own, nearness(similarity, prototypeTarget), similarity);
  return { value, present: logicalOr(own, logicalNot(own)), positive: own };
}

/** Rows with their labels, and their places in the batch. */
interface Clips {
  readonly z: Tensor;
  readonly labels: Tensor;
  readonly place: Tensor;
}

/** Every anchor with every other clip. */
function clipTerms(anchor: Clips, column: Clips, options: PslLossOptions): Terms {
  const { sameClass, sameClassTarget: target, sameClassWeight, otherClasses, temperature } = options;
  const similarity = matmul(anchor.z, column.z, { transposeB: true });
  const against = (f: (a: Tensor, b: Tensor) => Tensor, a: Tensor, b: Tensor) => f(expandDims(a, 1), expandDims(b, 0));
  const isOther = logicalNot(against(equal, anchor.place, column.place));
  const same = against(equal, anchor.labels, column.labels);
  const isSame = logicalAnd(same, isOther);
  let drawn = similarity;
  if (target !== null) drawn = sameClass === 'positive' ? nearness(similarity, target) : abs(sub(similarity, target));
  // A weight of the exponential is a summand of the exponent.
  if (sameClassWeight !== 1) drawn = add(drawn, temperature * Math.log(sameClassWeight));
  const present = [...(sameClass === 'out' ? [] : [isSame]), ...(otherClasses ? [logicalNot(same)] : [])];
  return {
    value: where(isSame, drawn, similarity),
    present: present.reduce(logicalOr),
    positive: sameClass === 'positive' ? isSame : nowhere(isSame),
  };
}

/** 1 - |x - s|: largest at the target. */
function nearness(similarity: Tensor, target: number): Tensor {
  return sub(1, abs(sub(similarity, target)));
}

function nowhere(mask: Tensor): Tensor {
  return logicalAnd(mask, logicalNot(mask));
}

/** -mean over the positives of (value / tau - log sum e^(value / tau)), for each anchor. */
function contrast(terms: readonly Terms[], temperature: number): Tensor {
  if (terms.length === 0) throw new ShapeError('pslLoss: expected prototypes or clips in the loss, found neither');
  const value = mul(
    concat(
      terms.map(term => term.value),
      1,
    ),
    1 / temperature,
  );
  const present = concat(
    terms.map(term => term.present),
    1,
  );
  const positive = cast(
    concat(
      terms.map(term => term.positive),
      1,
    ),
    value.dtype,
  );
  const logSum = logSumExp(where(present, value, absent), 1);
  const count = sum(positive, 1);
  const hasPositive = cast(greaterEqual(count, 1), value.dtype);
  const drawn = div(sum(mul(positive, value), 1), maximum(count, 1));
  return mul(hasPositive, sub(logSum, drawn));
}

/**
 * The embeddings of all processes as one batch in which only this process's rows have a gradient. With it each of `ranks` processes computes
 * {@link pslLoss} times `ranks`; the mean of their parameters' gradients is then that of the whole batch. The prototypes belong to every
 * process whole: their gradient is to be divided by `ranks` (published: it is not).
 * @param own this process's rows `[rows, D]`
 * @param gathered every process's rows, in the order of the ranks, `[ranks * rows, D]`
 */
export function gatheredRows(own: Tensor, gathered: Tensor, rank: number): Tensor {
  const rows = own.shape[0];
  const from = rank * rows;
  if (gathered.shape[0] % rows !== 0 || from + rows > gathered.shape[0])
    throw new ShapeError(`gatheredRows: rank ${rank} with ${rows} rows does not fit ${gathered.shape[0]} gathered rows`);
  const others = stopGradient(gathered);
  const parts = [
    ...(from > 0 ? [slice(others, 0, 0, from)] : []),
    own,
    ...(from + rows < gathered.shape[0] ? [slice(others, 0, from + rows)] : []),
  ];
  return parts.length === 1 ? own : concat(parts, 0);
}
