/** Training, testing and prediction as runs on disk (Node). */
export * from './checkpoint.ts';
export * from './config.ts';
export * from './epochRecord.ts';
export * from './exportedModel.ts';
export * from './exportFile.ts';
export * from './localizationRun.ts';
export * from './model.ts';
export * from './predict.ts';
export * from './reporter.ts';
export * from './runCurves.ts';
export * from './runDifferences.ts';
export * from './runRecord.ts';
export * from './runs.ts';
export * from './task.ts';
export * from './testRun.ts';
export * from './trainLoop.ts';
export * from './trainRun.ts';
