/** Few-shot recognition: episodes, their accuracies, configurations and published ones. */

export * from './accuracy.ts';
export * from './classSplit.ts';
export * from './config.ts';
export * from './episodeList.ts';
export * from './episodes.ts';
export * from './paramGroups.ts';
export * from './publishedConfig.ts';
export * from './publishedEpisodes.ts';
export * from './publishedKeys.ts';
export * from './pythonRandom.ts';
export * from './videoConfig.ts';
