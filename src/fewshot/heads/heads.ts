/** All heads by name, with one way to make and call them. */
import { expandDims, type NDArray, type Shape, squeeze, type Tensor } from '../../engine/index.ts';
import { rule } from '../../engine/op.ts';
import type { Key } from '../../engine/random.ts';
import { initParams, type Params, type SymbolicParams } from '../../nn/index.ts';
import type { MetricName } from '../matching/metrics.ts';
import type { OtamOptions } from '../matching/otam.ts';
import { matchingHead, otamHead, tsnHead } from './alignment.ts';
import { type CrossTransformerOptions, crossTransformer, crossTransformerSpecs } from './crossTransformer.ts';
import type { EpisodeSizes, Episodes, FewshotHead, HeadNoise, HeadOutput } from './head.ts';
import { type HyrsmOptions, hyrsm, hyrsmNoise, hyrsmSpecs } from './hyrsm.ts';
import { type SemiOptions, semiHyrsm } from './semi.ts';
import { type TrxOptions, trx, trxNoise, trxSpecs } from './trx.ts';

/** What each head is made with. */
export interface HeadOptionsByName {
  readonly 'hyrsm++': HyrsmOptions;
  readonly 'hyrsm++-semi': SemiOptions;
  readonly hyrsm: HyrsmOptions;
  readonly otam: OtamOptions;
  readonly tsn: Readonly<Record<never, never>>;
  readonly trx: TrxOptions;
  readonly crosstransformer: CrossTransformerOptions;
  readonly matching: { readonly metric: MetricName };
}

/** Names of the heads. */
export type HeadName = keyof HeadOptionsByName;

/** A head's name with its options. */
export type HeadSettings = { readonly [H in HeadName]: { readonly head: H } & HeadOptionsByName[H] }[HeadName];

const withoutParameters = { specs: () => ({}), noise: () => undefined } as const;

/** The heads. */
export const fewshotHeads: { readonly [H in HeadName]: FewshotHead<HeadOptionsByName[H]> } = {
  'hyrsm++': {
    meaning: 'HyRSM++: relations within and between videos, Bi-MHM set matching, temporal coherence',
    specs: hyrsmSpecs,
    apply: hyrsm,
    noise: hyrsmNoise,
  },
  'hyrsm++-semi': {
    meaning: 'HyRSM++ whose prototypes also take clips without labels, where their class is clear',
    specs: hyrsmSpecs,
    apply: semiHyrsm,
    noise: (options, sizes, key) => hyrsmNoise({ ...options, references: 'prototypes' }, sizes, key),
  },
  hyrsm: {
    meaning: 'HyRSM: as HyRSM++ without temporal coherence',
    specs: hyrsmSpecs,
    apply: (params, episodes, options) => hyrsm(params, episodes, { ...options, coherence: null }),
    noise: hyrsmNoise,
  },
  otam: {
    meaning: 'OTAM: smoothed temporal alignment of the backbone’s frames',
    ...withoutParameters,
    apply: (_, episodes, options) => otamHead(episodes, options),
  },
  tsn: {
    meaning: 'prototype baseline: cosine of the mean frames',
    ...withoutParameters,
    apply: (_, episodes) => tsnHead(episodes),
  },
  trx: {
    meaning: 'TRX: ordered pairs and triples of frames attend over those of a class',
    specs: trxSpecs,
    apply: trx,
    noise: trxNoise,
  },
  crosstransformer: {
    meaning: 'CrossTransformer: frames attend over the frames of a class',
    specs: crossTransformerSpecs,
    apply: crossTransformer,
    noise: () => undefined,
  },
  matching: {
    meaning: 'any matching metric on the backbone’s frames',
    ...withoutParameters,
    apply: (_, episodes, options) => matchingHead(episodes, options),
  },
};

/** The published classes: which of our heads they are, and the options that tell them apart. */
export const publishedHeads = {
  CNN_HyRSM_plusplus_1shot: { head: 'hyrsm++', references: 'supports' },
  CNN_HyRSM_plusplus_5shot: { head: 'hyrsm++', references: 'prototypes' },
  CNN_HyRSM_plusplus_semi: { head: 'hyrsm++-semi', references: 'prototypes' },
  CNN_HyRSM_1shot: { head: 'hyrsm', references: 'supports' },
  CNN_HyRSM_5shot: { head: 'hyrsm', references: 'prototypes' },
  CNN_OTAM: { head: 'otam' },
  CNN_TSN: { head: 'tsn' },
  CNN_TRX: { head: 'trx' },
  CNN_CrossTransformer: { head: 'crosstransformer' },
} as const satisfies Record<string, { head: HeadName; references?: HyrsmOptions['references'] }>;

/** The table's entry for settings, whose options are then of its type. */
function headOf(settings: HeadSettings): FewshotHead<HeadSettings> {
  return fewshotHeads[settings.head] as unknown as FewshotHead<HeadSettings>;
}

/** First parameters and buffers of a head, under their published names. */
export function headParams(settings: HeadSettings, key: Key): Params {
  return initParams(headOf(settings).specs(settings), key);
}

/** Shapes of {@link headParams}. */
export function headShapes(settings: HeadSettings): Record<string, Shape> {
  return Object.fromEntries(Object.entries(headOf(settings).specs(settings)).map(([name, { shape }]) => [name, shape]));
}

/** The masks of a training step's dropout, drawn by a key; undefined if nothing is dropped. */
export function headNoise(settings: HeadSettings, sizes: EpisodeSizes, key: Key): HeadNoise<NDArray> | undefined {
  return headOf(settings).noise(settings, sizes, key);
}

/**
 * A head on episodes: support `[episodes, S, T, D]` and query `[episodes, Q, T, D]`, or one episode without the first axis.
 * @throws ShapeError if supports are not those of `shots`, or supports and queries differ in what they must share
 */
export function applyHead(params: SymbolicParams, episodes: Episodes, settings: HeadSettings): HeadOutput {
  const { support, query, shots, unlabelled } = episodes;
  const isOne = support.rank === 3;
  rule(isOne || support.rank === 4, `fewshot: support must be [S, T, D] or [episodes, S, T, D], got [${support.shape}]`);
  const supports = shots.reduce((sum, shot) => sum + shot, 0);
  rule(
    support.shape[support.rank - 3] === supports && shots.every(shot => shot > 0),
    `fewshot: expected ${supports} supports for ${shots.length} classes of ${shots.join(', ')}, got [${support.shape}]`,
  );
  for (const [name, other] of Object.entries({ query, unlabelled }))
    rule(
      !other || (other.rank === support.rank && sameBut(other.shape, support.shape, support.rank - 3)),
      `fewshot: ${name} [${other?.shape}] must differ from support [${support.shape}] in the number of clips alone`,
    );
  if (!isOne) return headOf(settings).apply(params, episodes, settings);
  const first = (x: Tensor) => expandDims(x, 0);
  const all = { support: first(support), query: first(query), shots, noise: episodes.noise };
  const output = headOf(settings).apply(params, unlabelled ? { ...all, unlabelled: first(unlabelled) } : all, settings);
  return withoutFirstAxis(output) as HeadOutput;
}

const sameBut = (a: Shape, b: Shape, axis: number): boolean => a.every((extent, i) => i === axis || extent === b[i]);

type Outputs = Readonly<Record<string, Tensor | Readonly<Record<string, Tensor>> | undefined>>;

function withoutFirstAxis(output: object): object {
  return Object.fromEntries(
    Object.entries(output as Outputs).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, 'node' in value ? squeeze(value as Tensor, 0) : withoutFirstAxis(value)]];
    }),
  );
}
