/** Networks over frames and clips: ResNet, TSM on it, and temporally adaptive convolution. */
export * from './resnet.ts';
export * from './tada.ts';
export * from './tsm.ts';
export * from './tsmNames.ts';
export * from './tsmNetwork.ts';
