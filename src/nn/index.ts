export * from './clip.ts';
export * from './ema.ts';
export * from './init.ts';
export * from './layers.ts';
export * from './mixup.ts';
export * from './optimizers.ts';
export * from './params.ts';
export * from './schedules.ts';
