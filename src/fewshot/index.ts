/** Few-shot recognition: set matching, relations, heads and losses. */

export * from './backbone.ts';
export * from './blocks/attention.ts';
export * from './blocks/crossRelation.ts';
export * from './blocks/feedForward.ts';
export * from './blocks/fusion.ts';
export * from './blocks/positions.ts';
export * from './classMeans.ts';
export * from './coherence.ts';
export * from './cosine.ts';
export * from './heads/alignment.ts';
export * from './heads/crossTransformer.ts';
export * from './heads/head.ts';
export * from './heads/heads.ts';
export * from './heads/hyrsm.ts';
export * from './heads/relatedDistances.ts';
export * from './heads/semi.ts';
export * from './heads/trx.ts';
export * from './losses.ts';
export * from './matching/dtw.ts';
export * from './matching/hausdorff.ts';
export * from './matching/metrics.ts';
export * from './matching/nearest.ts';
export * from './matching/otam.ts';
export * from './matching/sequenceDistances.ts';
export * from './steps.ts';
