/** Weakly-supervised temporal action localisation: ACM-Net and FTCL, their losses, post-processing and metrics. */
export * from './acmLoss.ts';
export * from './acmNet.ts';
export * from './classes.ts';
export * from './classification.ts';
export * from './detections.ts';
export * from './evaluate.ts';
export * from './ftclLoss.ts';
export * from './localize.ts';
export * from './nms.ts';
export * from './proposals.ts';
export * from './segments.ts';
export * from './sequences/fsd.ts';
export * from './sequences/lcs.ts';
export * from './sequences/similarity.ts';
export * from './steps.ts';
export * from './thresholds.ts';
export * from './upsample.ts';
