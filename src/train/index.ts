/** Training, testing and prediction as runs on disk (Node). */
export * from './checkpoint.ts';
export * from './config.ts';
export * from './configOrigins.ts';
export { type JsonSchema, localizationConfigSchema } from './configSchema.ts';
export * from './importModel.ts';
export * from './localizationRun.ts';
export * from './model.ts';
export * from './models.ts';
export * from './predict.ts';
export * from './reporter.ts';
export * from './task.ts';
export * from './testRun.ts';
export * from './trainLoop.ts';
export * from './trainRun.ts';
